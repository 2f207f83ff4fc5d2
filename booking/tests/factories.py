"""The least an event, and a place in one, need."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.tests.factories import make_admin, make_user
from booking.models import Booking, BookingStatus, CalendarEvent


def make_event(**fields: Any) -> CalendarEvent:
    """An open hour by phone, three days ahead, with two places and a deputy of its own."""
    start = fields.get("start_time") or timezone.now().replace(microsecond=0) + timedelta(days=3)
    defaults: dict[str, Any] = {
        "title": "Phones and tablets",
        "start_time": start,
        "end_time": start + timedelta(hours=1),
    }
    if "deputy" not in fields:
        defaults["deputy"] = make_admin(name="Rosa Lopez")
    return CalendarEvent.objects.create(**defaults | fields)


def make_booking(**fields: Any) -> Booking:
    """A confirmed place, paid by nothing, counted in its event as the services count."""
    defaults: dict[str, Any] = {}
    if "user" not in fields:
        defaults["user"] = make_user()
    if "event" not in fields:
        defaults["event"] = make_event()
    booking = Booking.objects.create(**defaults | fields)
    CalendarEvent.objects.filter(pk=booking.event_id).update(
        booked_count=Booking.objects.filter(event=booking.event_id, status=BookingStatus.CONFIRMED).count()
    )
    booking.event.refresh_from_db(fields=["booked_count"])
    return booking
