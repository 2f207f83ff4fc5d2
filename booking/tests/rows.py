"""What the tests of the services look at afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_admin
from audit.actors import Actor
from billing.models import UserSubscription
from booking.models import CalendarEvent
from emails.models import EmailJob

HOUR = timedelta(hours=1)


def in_hours(hours: float) -> Any:
    return timezone.now().replace(microsecond=0) + timedelta(hours=hours)


def allowance_used(user: User) -> int:
    return UserSubscription.objects.get(user=user).session_booked_this_month


def mails(template: str) -> list[EmailJob]:
    return list(EmailJob.objects.filter(template_type=template).order_by("pk"))


def booked_count(event: CalendarEvent) -> int:
    return CalendarEvent.objects.get(pk=event.pk).booked_count


def staff() -> Actor:
    return Actor(user=make_admin())
