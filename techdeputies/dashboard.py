"""What a person's own page says: gathered from booking and billing, worded once in Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing import entitlements, standing
from billing.entitlements import Entitlement
from billing.models import FamilyInvitation
from billing.services import plan_mails
from billing.standing import Standing, State
from booking import words
from booking.models import Attendance, Booking, CalendarEvent
from settings_app.services import value
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
    """The plan, what is left of it and what comes next, in words."""

    name: str
    tag: str
    tag_kind: str
    is_unlimited: bool
    used: int
    limit: int
    left: int
    next_words: str
    may_change: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """A kind word on top, where nothing stands against the plan."""

    title: str
    text: str
    url: str = ""
    action: str = ""


def greeting(user: User, now: datetime, zone: ZoneInfo) -> str:
    """``Good morning, Margaret``, by the clock where the person is."""
    hour = now.astimezone(zone).hour
    greeted = "Good morning" if 4 <= hour < 12 else "Good afternoon" if 12 <= hour < 18 else "Good evening"
    name = (user.name or "").split()
    return f"{greeted}, {name[0]}" if name else greeted


@dataclass(frozen=True, slots=True)
class Visit:
    """One booking with what the page tells of its event and deputy."""

    id: str
    contact_phone: str
    attendance: str | None
    title: str
    start: datetime
    end: datetime
    kind: str
    place: str
    deputy_name: str | None

    @property
    def deputy(self) -> str:
        return words.deputy_name(self.deputy_name)


COLUMNS = (
    "pk",
    "contact_phone",
    "attendance",
    "event__title",
    "event__start_time",
    "event__end_time",
    "event__kind",
    "event__place",
    "event__deputy__name",
)


def visits_of(user: User, now: datetime) -> tuple[list[Visit], list[Visit]]:
    """The next sessions, soonest first, and the last ones, latest first. One statement, and no whole rows."""
    mine = Booking.objects.of(user.pk).confirmed()
    coming = mine.filter(event__end_time__gt=now).order_by("event__start_time", "pk").values_list(*COLUMNS)
    past = mine.filter(event__end_time__lte=now).order_by("-event__start_time", "-pk").values_list(*COLUMNS)
    visits = [Visit(*row) for row in coming[:COMING_SHOWN].union(past[:PAST_SHOWN], all=True)]
    return (
        sorted((visit for visit in visits if visit.end > now), key=lambda visit: visit.start),
        sorted((visit for visit in visits if visit.end <= now), key=lambda visit: visit.start, reverse=True),
    )


def plan_card(now: Standing, entitlement: Entitlement, zone: ZoneInfo) -> PlanCard | None:
    """None for a person without a plan."""
    if now.subscription is None:
        return None
    tag, kind = standing.tag(now, zone)
    return PlanCard(
        name=now.subscription.plan.display_name,
        tag=tag,
        tag_kind=kind,
        is_unlimited=entitlement.is_unlimited,
        used=entitlement.visits_used,
        limit=entitlement.visit_limit,
        left=entitlement.visits_left,
        next_words=_next_words(now, entitlement, zone),
        may_change=now.may_change,
    )


def _next_words(now: Standing, entitlement: Entitlement, zone: ZoneInfo) -> str:
    """What the end of the month brings. Empty while something stands against the plan: the alert speaks of that."""
    row = now.subscription
    if row is None or now.state not in (State.ACTIVE, State.ENDING):
        return ""
    end = times.month_day(row.ends_at or row.current_period_end, zone)
    if now.state == State.ENDING:
        return f"It stops on {end}." if now.is_shared else f"It stops on {end}. You pay nothing more."
    if row.is_granted:
        return f"It works until {end}."
    if now.is_shared:
        return f"{entitlement.owner_first_name or 'Somebody'} shares it with you. The next month begins on {end}."
    if entitlement.next_plan_name:
        return f"From {end} you have the {entitlement.next_plan_name} plan."
    return f"The next payment: {plan_mails.next_payment_words(row)}."


def notice(user: User, now: Standing, zone: ZoneInfo) -> Notice | None:
    """A plan of one's own that ends soon; for somebody without one, an offer to share."""
    row = now.own
    if row is not None:
        end = row.current_period_end if row.is_granted else row.ends_at
        soon = timezone.now() + timedelta(days=value("subscription_warning_threshold"))
        if now.state not in (State.ACTIVE, State.ENDING) or end is None or end > soon:
            return None
        return Notice(
            title=f"Your plan stops on {times.day_words(end, zone)}",
            text="Until then everything works as before.",
            url=reverse("billing:my_plan"),
            action="See what you can do" if row.is_granted else "Keep my plan",
        )
    if now.subscription is None and FamilyInvitation.objects.open().filter(email__iexact=user.email).exists():
        return Notice(
            title="Somebody would like to share their plan with you",
            text="We have sent you an email about it. Open it and press the button in it.",
        )
    return None


def for_user(user: User, zone: ZoneInfo) -> dict[str, object]:
    """Everything the page shows. Three statements; a fourth for somebody without a plan."""
    moment = timezone.now()
    coming, past = visits_of(user, moment)
    now = standing.of(user)
    entitlement = entitlements.of(now.subscription, user)
    return {
        "greeting": greeting(user, moment, zone),
        "next_session": next_session(coming[0], user, moment, zone) if coming else None,
        "other_sessions": [_coming_row(visit, zone) for visit in coming[1:]] + [_past_row(v, zone) for v in past],
        "is_new": not coming and not past,
        "trouble": standing.trouble(now, zone),
        "notice": notice(user, now, zone),
        "plan": plan_card(now, entitlement, zone),
        "why_not": entitlement.why_not,
    }


def near_day(moment: datetime, now: datetime, zone: ZoneInfo, day: str) -> str:
    """``day`` with "Today, " or "Tomorrow, " before it where that is so."""
    days = (moment.astimezone(zone).date() - now.astimezone(zone).date()).days
    return {0: "Today, ", 1: "Tomorrow, "}.get(days, "") + day


def next_session(visit: Visit, user: User, now: datetime, zone: ZoneInfo) -> NextSession:
    """The session in the pocket. Names the deputy's own time where that differs from the person's."""
    start = visit.start
    minutes = (visit.end - start) // timedelta(minutes=1)
    facts = (
        f"{times.zone_name(zone)}.",
        f"{minutes} minutes with {words.mid_sentence(visit.deputy)}.",
        words.elsewhere(start, zone, visit.deputy),
    )
    event = CalendarEvent(kind=visit.kind, place=visit.place)
    return NextSession(
        id=visit.id,
        title=visit.title,
        when=near_day(start, now, zone, f"{times.day_words(start, zone)}, at {times.clock(start, zone)}"),
        zone_line=" ".join(fact for fact in facts if fact),
        how=words.how(event, visit.deputy, visit.contact_phone or user.phone),
    )


def _coming_row(visit: Visit, zone: ZoneInfo) -> SessionRow:
    return _row(visit, zone, "Coming up", "info")


def _past_row(visit: Visit, zone: ZoneInfo) -> SessionRow:
    if visit.attendance == Attendance.NO_SHOW:
        return _row(visit, zone, "Missed", "warn")
    return _row(visit, zone, "Done", "good")


def _row(visit: Visit, zone: ZoneInfo, tag: str, kind: str) -> SessionRow:
    return SessionRow(
        id=visit.id,
        when=f"{times.day_words(visit.start, zone)}, {times.clock(visit.start, zone)}",
        what=f"{visit.title}, with {words.mid_sentence(visit.deputy)}",
        tag=tag,
        tag_kind=kind,
    )
