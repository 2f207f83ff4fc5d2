"""What of a change may stand in the audit: numbers, dates, labels and keys. Never what people wrote.

Names, addresses, phone numbers and free text are recorded as the field's name and "changed"; secrets too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db import models

CHANGED = "changed"

# Column types whose values tell nothing of a person.
_PLAIN_FIELDS = (
    models.AutoField,
    models.BooleanField,
    models.DateField,
    models.DecimalField,
    models.FloatField,
    models.IntegerField,
    models.TimeField,
    models.UUIDField,
    models.ForeignKey,
)


def is_plain(model: type[models.Model], name: str, allowed: Iterable[str] = ()) -> bool:
    """May the values of this field be recorded? ``allowed`` names texts that are no one's own."""
    if name in allowed:
        return True
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    if isinstance(field, models.ManyToManyField):
        return True
    return isinstance(field, _PLAIN_FIELDS) or bool(getattr(field, "choices", None))


def plain_value(value: Any) -> Any:
    """``value`` as JSON holds it; a row becomes its key, a set of rows their names."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [str(item) if isinstance(item, models.Model) else plain_value(item) for item in value]
    return str(value)


def describe_change(model: type[models.Model], name: str, before: Any, after: Any, allowed: Iterable[str] = ()) -> Any:
    """One field's line: before and after where they may be told, else only that it changed."""
    if not is_plain(model, name, allowed):
        return CHANGED
    return {"before": plain_value(before), "after": plain_value(after)}
