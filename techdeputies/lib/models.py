"""What models of every app share."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class TimestampedModel(models.Model):
    """When the row was made and last saved, by the application with the database's clock as fallback."""

    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())

    class Meta:
        abstract = True


def one_of(field: str, choices: type[models.TextChoices], *, name: str) -> models.CheckConstraint:
    """The CHECK that closes a list of stored labels. A NULL passes, as SQL has it."""
    condition: Any = models.Q(**{f"{field}__in": choices.values})
    return models.CheckConstraint(condition=condition, name=name)
