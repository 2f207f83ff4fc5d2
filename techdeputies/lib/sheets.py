"""Tables for a spreadsheet, in which no text can become a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.http import HttpResponse

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""Spreadsheets run what begins like this (OWASP, CSV Injection); an apostrophe before it makes it a text."""


def safe(value: Any) -> Any:
    """Numbers as they are; a text that would be run, made harmless."""
    if isinstance(value, int | float | Decimal):
        return value
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_BEGINS_A_FORMULA) else text


def sheet(name: str, head: Iterable[str], rows: Iterable[Iterable[Any]]) -> HttpResponse:
    """A CSV file to keep, called ``name``, which spreadsheets read as UTF-8."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    answer.write("\ufeff")
    writer = csv.writer(answer)
    writer.writerow([safe(word) for word in head])
    writer.writerows([safe(value) for value in row] for row in rows)
    return answer
