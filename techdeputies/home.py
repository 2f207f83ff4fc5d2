"""The home page's moving parts: the next free times and the plans, kept rendered for a few seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from billing.models import Plan
from billing.words import plan_words
from booking import version
from booking.models import CalendarEvent
from settings_app.services import value
from techdeputies.context_processors import site_now
from techdeputies.dashboard import near_day
from techdeputies.lib import times
from techdeputies.lib.fragments import kept

TIMES_SHOWN = 3
DAYS_AHEAD = 7
FRESH_SECONDS = 5
PLANS_FRESH_SECONDS = 30

ASKS = (
    "My printer says it is offline.",
    "Is this email really from my bank?",
    "I can’t hear my grandson on the video call.",
    "My phone says the storage is full.",
    "I forgot my password again.",
    "How do I make the letters bigger?",
)


@dataclass(frozen=True, slots=True)
class FreeTime:
    """One tile: day, hour, what it is about, and the places left in words."""

    id: str
    day: str
    clock: str
    title: str
    places: str
    is_last: bool


def body(zone: ZoneInfo) -> SafeString:
    """The page below the header, the same for everybody who reads times in ``zone``."""
    return mark_safe(kept(("home", zone.key, version.current()), FRESH_SECONDS, lambda: _render(zone)))


def _render(zone: ZoneInfo) -> str:
    free, length = free_times(zone)
    plans = kept("home-plans", PLANS_FRESH_SECONDS, _render_plans)
    return render_to_string(
        "home_body.html",
        {
            "site": site_now(),
            "free_times": free,
            "session_length": length,
            "zone_words": times.zone_name(zone),
            "asks": ASKS,
            "plans": mark_safe(plans),
        },
    )


def free_times(zone: ZoneInfo) -> tuple[list[FreeTime], str]:
    """The next times with a place, within a week, and how long each lasts where that is one answer. One statement."""
    now = timezone.now()
    first = now + timedelta(hours=value("booking_notice_hours"))
    events = list(
        CalendarEvent.objects.open()
        .between(first, now + timedelta(days=DAYS_AHEAD))
        .with_places()
        .order_by("start_time", "pk")[:TIMES_SHOWN]
    )
    lengths = {(event.end_time - event.start_time) // timedelta(minutes=1) for event in events}
    length = f"Each session is {lengths.pop()} minutes." if len(lengths) == 1 else ""
    rows = []
    for event in events:
        weekday = times.day_words(event.start_time, zone).partition(",")[0]
        rows.append(
            FreeTime(
                id=event.pk,
                day=near_day(event.start_time, now, zone, f"{weekday}, {times.short_date(event.start_time, zone)}"),
                clock=times.clock(event.start_time, zone),
                title=event.title,
                places="Last place" if event.places_left == 1 else f"{event.places_left} places left",
                is_last=event.places_left == 1,
            )
        )
    return rows, length


def _render_plans() -> str:
    rows = [plan_words(plan) for plan in Plan.objects.filter(is_offered=True).order_by("price_in_cents", "pk")]
    return render_to_string("components/plan_table.html", {"rows": rows, "site": site_now()})
