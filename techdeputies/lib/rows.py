"""Models from SQL of our own, for the few statements that every booking and every signed-in page runs.

To build one of these queries costs the ORM several times what the database needs to answer it
(docs/performance.md); everywhere else the QuerySet is the right word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

Row = TypeVar("Row", bound=Model)


def columns(model: type[Model], alias: str) -> str:
    """Every column of ``model``'s table for a SELECT: ``e."id", e."title"``."""
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


def width(model: type[Model]) -> int:
    """How many values of a row ``columns`` takes."""
    return len(model._meta.concrete_fields)


def instance(model: type[Row], values: Sequence[Any]) -> Row:
    """The row as a model, as a QuerySet would give it. ``values`` are in the order of ``columns``."""
    return model.from_db(DEFAULT_DB_ALIAS, [field.attname for field in model._meta.concrete_fields], list(values))
