"""A process that dies at a chosen place, before a step or right after it; and a database without one of its rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection


class Crash(Exception):
    """The process is gone here."""


@contextmanager
def crash(monkeypatch: pytest.MonkeyPatch, module: Any, step: str, when: str) -> Iterator[None]:
    """Inside, ``module.step`` dies ``before`` it does anything, or ``after`` it has done all."""
    real = getattr(module, step)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            real(*args, **kwargs)
        raise Crash(f"{when} {step}")

    with monkeypatch.context() as patch:
        patch.setattr(module, step, dying)
        yield


@contextmanager
def without_constraint(table: str, name: str) -> Iterator[None]:
    """Inside, the rule is gone; the table is emptied before it comes back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
        row = cursor.fetchone()
        if row is not None:
            take, bring = f'ALTER TABLE "{table}" DROP', f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {row[0]}'
            cursor.execute(f'{take} CONSTRAINT "{name}"')
        else:  # one with a condition is an index only
            cursor.execute("SELECT pg_get_indexdef(%s::regclass)", [name])
            (bring,) = cursor.fetchone()
            cursor.execute(f'DROP INDEX "{name}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'TRUNCATE "{table}" CASCADE')
            cursor.execute(bring)
