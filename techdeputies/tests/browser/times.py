"""Times on offer for the browser tests: far enough ahead, in one week, at hours people know."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from booking.models import CalendarEvent
from booking.tests.factories import make_event
from techdeputies.lib.times import clock, day_words

CHICAGO = ZoneInfo("America/Chicago")
TUESDAY, THURSDAY = 1, 3


def coming(weekday: int, hour: int, *, weeks: int = 0) -> datetime:
    """That weekday and hour in Chicago, in the first whole week from now, or some weeks later."""
    today = timezone.now().astimezone(CHICAGO).date()
    day = today + timedelta(days=7 - today.weekday() + weekday, weeks=weeks)
    return datetime(day.year, day.month, day.day, hour, tzinfo=CHICAGO)


def offer(weekday: int = TUESDAY, hour: int = 10, *, weeks: int = 0, **fields: Any) -> CalendarEvent:
    """A time people may book: next Tuesday at 10 AM, one hour, unless told otherwise."""
    return make_event(start_time=coming(weekday, hour, weeks=weeks), **fields)


def when(event: CalendarEvent) -> str:
    """``Tuesday, December 1 at 10:00 AM``."""
    return f"{day_words(event.start_time, CHICAGO)} at {clock(event.start_time, CHICAGO)}"


def slot_name(event: CalendarEvent, places: str, deputy: str = "Deputy Rosa") -> str:
    """What a time of the list is called: all of it, so that it makes sense read out alone."""
    day, hour = day_words(event.start_time, CHICAGO), clock(event.start_time, CHICAGO)
    return f"{day}, {hour} {event.title} {deputy} {places}"
