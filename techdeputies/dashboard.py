"""What a person's own page says: gathered from booking and billing, worded once in Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import User
from billing import entitlements
from billing.entitlements import Entitlement
from billing.models import SubscriptionStatus
from booking.models import Attendance, Booking, EventKind
from settings_app.services import business_zone, zone_for
from techdeputies.lib import times

COMING_SHOWN = 4
PAST_SHOWN = 2


@dataclass(frozen=True, slots=True)
class NextSession:
    """The session in the pocket, in words."""

    id: str
    title: str
    when: str
    zone_line: str
    how: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One line under "Other sessions"."""

    id: str
    when: str
    what: str
    tag: str
    tag_kind: str


@dataclass(frozen=True, slots=True)
class PlanCard:
    """The plan and what is left of it, in words."""

    name: str
    is_unlimited: bool
    used: int
    limit: int
    left: int
    renews: str
    is_paused: bool


def greeting(user: User, now: datetime, zone: ZoneInfo) -> str:
    """``Good morning, Margaret``, by the clock where the person is."""
    hour = now.astimezone(zone).hour
    words = "Good morning" if 4 <= hour < 12 else "Good afternoon" if 12 <= hour < 18 else "Good evening"
    name = (user.name or "").split()
    return f"{words}, {name[0]}" if name else words


def coming_sessions(user: User, now: datetime, zone: ZoneInfo) -> tuple[NextSession | None, list[SessionRow]]:
    """The next session and those after it. One statement."""
    bookings = list(
        Booking.objects.of(user.pk)
        .upcoming()
        .select_related("event__deputy")
        .order_by("event__start_time", "pk")[:COMING_SHOWN]
    )
    if not bookings:
        return None, []
    return _next(bookings[0], user, now, zone), [_row(booking, zone, "Coming up", "info") for booking in bookings[1:]]


def past_sessions(user: User, now: datetime, zone: ZoneInfo) -> list[SessionRow]:
    """The last sessions that are over. One statement."""
    bookings = (
        Booking.objects.of(user.pk)
        .confirmed()
        .filter(event__end_time__lte=now)
        .select_related("event__deputy")
        .order_by("-event__start_time", "-pk")[:PAST_SHOWN]
    )
    return [
        _row(booking, zone, "Missed", "warn")
        if booking.attendance == Attendance.NO_SHOW
        else _row(booking, zone, "Done", "good")
        for booking in bookings
    ]


def plan_card(entitlement: Entitlement, zone: ZoneInfo) -> PlanCard | None:
    """None for a person without a plan."""
    if not entitlement.has_plan:
        return None
    return PlanCard(
        name=entitlement.plan_name,
        is_unlimited=entitlement.is_unlimited,
        used=entitlement.visits_used,
        limit=entitlement.visit_limit,
        left=entitlement.visits_left,
        renews=times.month_day(entitlement.period_end, zone) if entitlement.period_end else "",
        is_paused=entitlement.status == SubscriptionStatus.PAST_DUE,
    )


def for_user(user: User) -> dict[str, object]:
    """Everything the page shows. Four statements."""
    now = timezone.now()
    zone = zone_for(user)
    next_session, others = coming_sessions(user, now, zone)
    entitlement = entitlements.for_user(user)
    past = past_sessions(user, now, zone)
    return {
        "greeting": greeting(user, now, zone),
        "next_session": next_session,
        "other_sessions": others + past,
        "is_new": next_session is None and not past,
        "plan": plan_card(entitlement, zone),
        "why_not": entitlement.why_not,
    }


def near_day(moment: datetime, now: datetime, zone: ZoneInfo, words: str) -> str:
    """``words`` with "Today, " or "Tomorrow, " before it where that is so."""
    days = (moment.astimezone(zone).date() - now.astimezone(zone).date()).days
    return {0: "Today, ", 1: "Tomorrow, "}.get(days, "") + words


def _next(booking: Booking, user: User, now: datetime, zone: ZoneInfo) -> NextSession:
    event = booking.event
    start = event.start_time
    deputy = event.deputy.first_name_words
    minutes = (event.end_time - start) // timedelta(minutes=1)
    business = business_zone()
    elsewhere = ""
    if start.astimezone(zone).utcoffset() != start.astimezone(business).utcoffset():
        elsewhere = f" That is {times.clock(start, business)} {times.zone_name(business)} for Deputy {deputy}."
    return NextSession(
        id=booking.pk,
        title=event.title,
        when=near_day(start, now, zone, f"{times.day_words(start, zone)}, at {times.clock(start, zone)}"),
        zone_line=f"{times.zone_name(zone)}. {minutes} minutes with Deputy {deputy}.{elsewhere}",
        how=_how(booking, user),
    )


def _how(booking: Booking, user: User) -> str:
    event = booking.event
    deputy = f"Deputy {event.deputy.first_name_words}"
    if event.kind == EventKind.IN_PERSON:
        return f"You meet {deputy} at {event.place}." if event.place else f"You meet {deputy} in person."
    phone = booking.contact_phone or user.phone
    return f"{deputy} will call you at {phone}." if phone else f"{deputy} will call you."


def _row(booking: Booking, zone: ZoneInfo, tag: str, kind: str) -> SessionRow:
    event = booking.event
    return SessionRow(
        id=booking.pk,
        when=f"{times.day_words(event.start_time, zone)}, {times.clock(event.start_time, zone)}",
        what=f"{event.title}, with Deputy {event.deputy.first_name_words}",
        tag=tag,
        tag_kind=kind,
    )
