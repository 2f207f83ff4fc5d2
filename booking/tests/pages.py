"""What the tests of the pages share: people who are signed in, addresses, answers."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.tests.factories import make_subscriber
from booking.models import CalendarEvent
from settings_app import services as site_settings

HOUR = timedelta(hours=1)


def in_hours(hours: float) -> Any:
    return timezone.now().replace(microsecond=0) + timedelta(hours=hours)


def signed_in(**fields: Any) -> tuple[Any, Any]:
    user = make_subscriber(**fields)
    return client_of(user), user


def client_of(user: Any) -> Any:
    client = Client()
    client.force_login(user)
    return client


def without_token(page: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page)


def check_url(event: CalendarEvent) -> str:
    return reverse("booking:event_detail", args=[event.pk])


def answers(event: CalendarEvent, **more: str) -> dict[str, str]:
    return {"contact_phone": "(312) 555-0187", "topic": "My printer.", **more}


def week_of(event: CalendarEvent) -> str:
    zone = site_settings.business_zone()
    return f"{reverse('booking:event_list')}?week={event.start_time.astimezone(zone).date().isoformat()}"
