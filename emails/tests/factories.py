"""Rows for tests: plain functions that fill in the least."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from django.db.models import F

from emails.models import EmailJob, EmailSuppression, EmailTemplate, SuppressionType

_numbers = itertools.count(1)


def make_job(**fields: Any) -> EmailJob:
    """A job that is due now, with the test message."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "template_type": "test_message",
        "occasion": f"test:{number}",
        "recipient_email": f"person{number}@example.com",
        "recipient_name": "Margaret Hill",
        "subject": "Test email from The Tech Deputies",
        "content": {"context": {"asked_at": "Tuesday, December 1 at 10:00 AM"}},
    }
    return EmailJob.objects.create(**{**values, **fields})


def make_template(**fields: Any) -> EmailTemplate:
    """A template of staff's own, with one variable."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "name": f"made_{number}",
        "subject": "About {{ thing }}",
        "html_content": "<h1>{{ thing }}</h1><p>Hello {{ recipient_name }}.</p>",
        "text_content": "Hello {{ recipient_name }}, this is about {{ thing }}.",
        "variables": {"thing": "your tablet"},
    }
    return EmailTemplate.objects.create(**{**values, **fields})


def make_suppression(**fields: Any) -> EmailSuppression:
    """An address that bounced."""
    values: dict[str, Any] = {
        "email": f"gone{next(_numbers)}@example.com",
        "type": SuppressionType.BOUNCE,
    }
    return EmailSuppression.objects.create(**{**values, **fields})


def age(job: EmailJob, **fields: timedelta) -> None:
    """Move the row's moments into the past."""
    EmailJob.objects.filter(pk=job.pk).update(**{name: F(name) - gap for name, gap in fields.items()})
