"""How staff read and fill in the pages of sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from booking.models import CalendarEvent
from booking.tests.factories import make_event

pytestmark = pytest.mark.django_db


class TestNameOfATime:
    @pytest.mark.parametrize(
        ("zone", "words"),
        [
            ("America/Chicago", "Near one, Tuesday, July 1 at 2:30 PM, Central Time (Chicago)"),
            ("UTC", "Near one, Tuesday, July 1 at 7:30 PM, UTC time"),
        ],
    )
    def test_it_says_the_zone_it_is_told_in(self, zone: str, words: str) -> None:
        start = datetime(2031, 7, 1, 19, 30, tzinfo=UTC).astimezone(ZoneInfo("America/Chicago"))
        event = CalendarEvent(title="Near one", start_time=start)

        with timezone.override(ZoneInfo(zone)):
            assert str(event) == words

    def test_staff_read_the_businesss_zone(self, desk: Client) -> None:
        event = make_event(title="Near one", start_time=datetime(2031, 7, 1, 19, 30, tzinfo=UTC))

        html = desk.get(reverse("admin:booking_calendarevent_change", args=[event.pk])).content.decode()

        assert "Near one, Tuesday, July 1 at 2:30 PM, Central Time (Chicago)" in html
