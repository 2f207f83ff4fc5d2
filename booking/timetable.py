"""The times on offer, by week and day, as people see them.

Every date is formatted once in Python and the finished list is kept for some seconds: a page of two hundred
times costs the thirtyfold of a plain page when each row formats its own (performance notes, §1). What differs
from person to person (own sessions, where a time leads to) is put in afterwards, into the finished text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateTimeField, ExpressionWrapper, Subquery
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from booking import version, words
from booking.models import Booking, CalendarEvent
from settings_app.services import value
from techdeputies.lib import times
from techdeputies.lib.fragments import kept

FRESH_SECONDS = 5.0
MOST_SLOTS = 400
"""Times shown of one week. A week with more is told to ask by phone for the rest."""

WEEK_VIEW, LIST_VIEW = "week", "list"
SUNDAY = 6

Row = tuple[str, datetime, str, int, int, str | None]

# Stand where a time's address begins and ends: two private characters that no title holds.
_HREF, _FERH = "\ue000", "\ue001"


@dataclass(frozen=True, slots=True)
class Window:
    """One week in one zone: local dates from ``first`` (today or Monday) to ``last`` (Sunday or the horizon)."""

    monday: date
    zone: ZoneInfo
    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @property
    def horizon(self) -> datetime:
        return self.now + timedelta(days=value("booking_horizon_days"))

    @property
    def first(self) -> date:
        return max(self.monday, self.today)

    @property
    def last(self) -> date:
        return min(self.monday + timedelta(days=6), self.horizon.astimezone(self.zone).date())

    @property
    def start(self) -> datetime:
        return max(midnight(self.monday, self.zone), self.now)

    @property
    def end(self) -> datetime:
        return min(midnight(self.monday + timedelta(days=7), self.zone), self.horizon)

    @property
    def before(self) -> date | None:
        """The Monday before, while any of it is still to come."""
        return self.monday - timedelta(days=7) if self.monday > monday_of(self.today) else None

    @property
    def after(self) -> date | None:
        """The next Monday, while it can be booked."""
        following = self.monday + timedelta(days=7)
        return following if midnight(following, self.zone) < self.horizon else None


@dataclass(slots=True)
class Day:
    """One heading with its times."""

    weekday: str
    number: str
    words: str
    is_today: bool
    slots: list[str] = field(default_factory=list)

    @property
    def slots_html(self) -> SafeString:
        """Its times, each escaped when it was written."""
        return mark_safe("\n".join(self.slots))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant the local day begins; the first that exists, where the clocks skip midnight."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def read_day(raw: str) -> date | None:
    """``2026-11-30``, or None for anything else. Never raises."""
    if len(raw) != 10:
        return None
    try:
        return date.fromisoformat(raw)
    except ValueError:
        return None


# --- The list -------------------------------------------------------------------------------------------
def shown(wanted: date | None, zone: ZoneInfo, view: str) -> tuple[Window, str]:
    """The week of ``wanted``, kept between this week and the horizon; without it the first week with times.

    One statement when the kept copy has run out, none before. The text still needs ``personal``.
    """
    now = timezone.now()
    if wanted is None:
        # The finished text is kept behind the Monday it belongs to.
        text = kept(
            ("first-week", zone.key, view, version.current()), FRESH_SECONDS, lambda: _first_week(now, zone, view)
        )
        return Window(date.fromisoformat(text[:10]), zone, now), text[10:]
    today = now.astimezone(zone).date()
    last = (now + timedelta(days=value("booking_horizon_days"))).astimezone(zone).date()
    week = Window(monday_of(min(max(wanted, today), last)), zone, now)
    key = ("week", week.monday, zone.key, view, version.current())
    return week, kept(key, FRESH_SECONDS, lambda: _render(week, view, _rows(week.start, week.end)))


def personal(html: str, zone: ZoneInfo, *, href: str, suffix: str = "", own: Iterable[Booking] = ()) -> SafeString:
    """The kept text for one reader: a time leads to ``href`` + its id + ``suffix``; ``own`` sessions are marked."""
    for booking in own:
        html = _mark_own(html, booking, zone)
    return mark_safe(html.replace(_HREF, href).replace(_FERH, suffix))


def own_bookings(week: Window, user_id: int) -> list[Booking]:
    """The person's visits in that week. One statement."""
    return list(
        Booking.objects.confirmed()
        .of(user_id)
        .filter(event__start_time__gte=week.start, event__start_time__lt=week.end)
        .select_related("event__deputy")
    )


def _rows(start: datetime, end: datetime, **narrower: Any) -> list[Row]:
    events = CalendarEvent.objects.open().between(start, end).filter(**narrower).order_by("start_time", "pk")
    names = ("pk", "start_time", "title", "capacity", "booked_count", "deputy__name")
    return list(events.values_list(*names)[: MOST_SLOTS + 1])


def _first_week(now: datetime, zone: ZoneInfo, view: str) -> str:
    """Every time within seven days of the next one holds the whole of its week: found in the same statement."""
    end = now + timedelta(days=value("booking_horizon_days"))
    first = CalendarEvent.objects.open().between(now, end).order_by("start_time").values("start_time")[:1]
    within = ExpressionWrapper(Subquery(first) + timedelta(days=7), output_field=DateTimeField())
    rows = _rows(now, end, start_time__lt=within)
    day = rows[0][1].astimezone(zone).date() if rows else now.astimezone(zone).date()
    week = Window(monday_of(day), zone, now)
    return week.monday.isoformat() + _render(week, view, [row for row in rows if row[1] < week.end])


def _render(week: Window, view: str, rows: list[Row]) -> str:
    days = _days(week, rows[:MOST_SLOTS])
    has_sunday = any(row for row in days if row.weekday == times.WEEKDAYS[SUNDAY])
    first, last = days[0].words if days else "", days[-1].words if days else ""
    return render_to_string(
        "booking/partials/week.html",
        {
            "days": days,
            "heading": first if first == last else f"{first} to {last}",
            "is_grid": view == WEEK_VIEW,
            "has_times": bool(rows),
            "has_more": len(rows) > MOST_SLOTS,
            "no_sunday": bool(days) and not has_sunday,
            "this": week.monday.isoformat(),
            "before": week.before and week.before.isoformat(),
            "after": week.after and week.after.isoformat(),
            "clock_change": words.clock_change(
                midnight(week.monday, week.zone), midnight(week.monday + timedelta(days=7), week.zone), week.zone
            ),
            "horizon_days": str(value("booking_horizon_days")),
            "phone": value("business_phone"),
        },
    )


_SLOT = {name: f"{{{name}}}" for name in ("id", "href", "day", "clock", "title", "deputy", "places", "kind")}


def _slot_patterns() -> dict[str, str]:
    """The template of one time in its three shapes, rendered with ``{title}`` for the title, to be filled by format.

    Two hundred rows in a template cost half of the whole page.
    """
    return {
        shape: render_to_string("booking/partials/slot.html", {"shape": shape, "slot": _SLOT}).strip()
        for shape in ("open", "full", "near")
    }


def _days(week: Window, rows: Iterable[Row]) -> list[Day]:
    """The days from today or Monday on; a Sunday only where it has times. Regrouped by the zone's own dates."""
    notice = week.now + timedelta(hours=value("booking_notice_hours"))
    days: dict[date, Day] = {}
    for number in range((week.last - week.first).days + 1):
        day = week.first + timedelta(days=number)
        days[day] = Day(
            weekday=times.WEEKDAYS[day.weekday()],
            number=f"{times.MONTHS[day.month - 1][:3]} {day.day}",
            words=times.date_words(day),
            is_today=day == week.today,
        )
    patterns = _slot_patterns()
    for pk, start, title, capacity, booked_count, deputy in rows:
        day = start.astimezone(week.zone).date()
        if day in days:
            left = capacity - booked_count
            shape = "full" if left <= 0 else "near" if start < notice else "open"
            html = patterns[shape].format(
                id=pk,
                href=f"{_HREF}{pk}{_FERH}",
                day=days[day].words,
                clock=times.clock(start, week.zone),
                title=escape(title),
                deputy=escape(words.deputy_name(deputy)),
                places=words.places(capacity, booked_count),
                kind="warn" if left == 1 else "good",
            )
            days[day].slots.append(html)
    return [day for key, day in days.items() if key.weekday() != SUNDAY or day.slots]


def _mark_own(html: str, booking: Booking, zone: ZoneInfo) -> str:
    """Put the link to the person's own session in the place of the offer."""
    opening = f'<li data-slot="{booking.event_id}">'
    begin = html.find(opening)
    if begin < 0:
        return html
    end = html.index("</li>", begin)
    event = booking.event
    own = format_html(
        '{}<a class="slot slot--mine" href="/booking/visits/{}/"><span class="vh">Your session, {}, </span>'
        '<span class="slot__time">{}</span><span><span class="slot__what">{}</span>'
        '<span class="slot__who">{}</span></span><span class="slot__seats tag">Your session</span></a>',
        mark_safe(opening),
        booking.pk,
        times.day_words(event.start_time, zone),
        times.clock(event.start_time, zone),
        event.title,
        words.deputy_words(event.deputy),
    )
    return html[:begin] + own + html[end:]


# --- A few times ----------------------------------------------------------------------------------------
def next_free_events(limit: int = 3, *, near: datetime | None = None) -> list[CalendarEvent]:
    """The next times with a place that the website may book; with ``near``, those nearest to it. One statement."""
    now = timezone.now()
    free = (
        CalendarEvent.objects.open()
        .between(
            now + timedelta(hours=value("booking_notice_hours")),
            now + timedelta(days=value("booking_horizon_days")),
        )
        .with_places()
    )
    if near is None:
        return list(free.select_related("deputy").order_by("start_time", "pk")[:limit])
    later = free.filter(start_time__gte=near).order_by("start_time", "pk")[:limit]
    earlier = free.filter(start_time__lt=near).order_by("-start_time", "-pk")[:limit]
    found = sorted(later.union(earlier, all=True), key=lambda event: abs(event.start_time - near))
    return sorted(found[:limit], key=lambda event: event.start_time)


def nearest_html(near: datetime, zone: ZoneInfo, *, href: str, suffix: str = "") -> SafeString:
    """Tiles of the nearest times with a place; kept for a moment, since many may lose the same race."""

    def render() -> str:
        tiles = [
            {
                "href": f"{_HREF}{event.pk}{_FERH}",
                "day": times.day_words(event.start_time, zone),
                "clock": times.clock(event.start_time, zone),
                "title": event.title,
                "places": words.places(event.capacity, event.booked_count),
                "kind": "warn" if event.places_left == 1 else "good",
            }
            for event in next_free_events(near=near)
        ]
        return render_to_string("booking/partials/nearest.html", {"tiles": tiles})

    html = kept(("nearest", near, zone.key, version.current()), FRESH_SECONDS, render)
    return mark_safe(html.replace(_HREF, href).replace(_FERH, suffix))
