"""What there is to say of a session, worded once for pages, mails and calendar files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import User
from booking.models import CalendarEvent, EventKind
from settings_app.services import business_zone, value
from techdeputies.lib import times

NO_NAME = "Your deputy"


@dataclass(frozen=True, slots=True)
class Facts:
    """One session in the words of one zone.

    ``when`` is "Tuesday, December 1 at 10:00 AM"; ``elsewhere`` is empty where the zone keeps the business's time.
    """

    title: str
    day: str
    when: str
    hours: str
    zone: str
    elsewhere: str
    deputy: str
    company: str
    how: str
    place: str


def facts(event: CalendarEvent, zone: ZoneInfo, *, phone: str = "") -> Facts:
    """The words for ``event`` as somebody in ``zone`` reads them. ``phone`` is the number we call."""
    deputy = deputy_words(event.deputy)
    return Facts(
        title=event.title,
        day=times.long_date(event.start_time, zone),
        when=short_when(event.start_time, zone),
        hours=f"{times.clock(event.start_time, zone)} to {times.clock(event.end_time, zone)}",
        zone=times.zone_name(zone),
        elsewhere=elsewhere(event.start_time, zone, deputy),
        deputy=deputy,
        company=company(event.capacity),
        how=how(event, deputy, phone),
        place=event.place if event.kind == EventKind.IN_PERSON else "",
    )


def short_when(moment: datetime, zone: ZoneInfo) -> str:
    """``Tuesday, December 1 at 10:00 AM``."""
    return f"{times.day_words(moment, zone)} at {times.clock(moment, zone)}"


def deputy_words(deputy: User) -> str:
    return deputy_name(deputy.name)


def deputy_name(name: str | None) -> str:
    """``Deputy Rosa``."""
    words = (name or "").split()
    return f"Deputy {words[0]}" if words else NO_NAME


def mid_sentence(deputy: str) -> str:
    """The same words where a sentence does not begin with them."""
    return "your deputy" if deputy == NO_NAME else deputy


def elsewhere(moment: datetime, zone: ZoneInfo, deputy: str) -> str:
    """The time on the deputy's clock, where that is another one: both are given then."""
    business = business_zone()
    if moment.astimezone(zone).utcoffset() == moment.astimezone(business).utcoffset():
        return ""
    there = times.clock(moment, business)
    if moment.astimezone(zone).date() != moment.astimezone(business).date():
        there = f"{times.day_words(moment, business)} at {there}"
    return f"For {mid_sentence(deputy)} it is {there}, {times.zone_name(business)}."


def company(capacity: int) -> str:
    """Who else may be there."""
    if capacity <= 1:
        return "Only you and your deputy."
    if capacity == 2:
        return "One other person may be in this session."
    return f"Up to {capacity - 1} other people may be in this session."


def how(event: CalendarEvent, deputy: str, phone: str) -> str:
    """How the two meet, in one sentence."""
    at = f" at {phone}" if phone else ""
    if event.kind == EventKind.IN_PERSON:
        return f"You meet {mid_sentence(deputy)}{_place(event)}."
    if event.kind == EventKind.REMOTE:
        return f"{deputy} will call you{at} and look at your screen together with you."
    return f"{deputy} will call you{at}."


def _place(event: CalendarEvent) -> str:
    return f" at {event.place}" if event.place else " in person"


def places(capacity: int, booked_count: int) -> str:
    """Places left, as a fact: ``Full``, ``Last place``, ``2 places left``."""
    left = capacity - booked_count
    if left <= 0:
        return "Full"
    return "Last place" if left == 1 else f"{left} places left"


# --- Cut-offs -------------------------------------------------------------------------------------------
def free_until(event: CalendarEvent) -> datetime:
    """Until when cancelling gives the session back and moving is possible."""
    return event.start_time - timedelta(hours=value("cancellation_cutoff_hours"))


def is_in_time(event: CalendarEvent) -> bool:
    return timezone.now() <= free_until(event)


def free_words(event: CalendarEvent, zone: ZoneInfo) -> str:
    """What changing one's mind costs."""
    if is_in_time(event):
        until = free_until(event)
        return (
            "You can change or cancel it without charge until "
            f"{times.clock(until, zone)} on {times.day_words(until, zone)}."
        )
    return f"It begins in less than {cutoff_words()}, so it counts as used even if you cancel it."


def cutoff_words() -> str:
    """``24 hours``: how long before the start it is free."""
    return hours_words(value("cancellation_cutoff_hours"))


def will_remind(event: CalendarEvent) -> bool:
    """Is there still a reminder to come for who books now?"""
    return timezone.now() < event.start_time - timedelta(hours=value("reminder_hours_before"))


def cost_words(*, had_visit: bool, returned: bool) -> str:
    """What became of the session in the plan, once it is cancelled."""
    if not returned:
        return f"It was less than {cutoff_words()} before the start, so the session counts as used."
    if not had_visit:
        return "You do not pay anything for it."
    return "The session is back in your plan. You can use it for another time."


def hours_words(hours: int) -> str:
    return "1 hour" if hours == 1 else f"{hours} hours"


def near_day(moment: datetime, zone: ZoneInfo) -> str:
    """``Today``, ``Tomorrow``, or the weekday's name, as the person's calendar has it."""
    days = (moment.astimezone(zone).date() - timezone.now().astimezone(zone).date()).days
    return {0: "Today", 1: "Tomorrow"}.get(days, times.WEEKDAYS[moment.astimezone(zone).weekday()])


# --- Clock changes --------------------------------------------------------------------------------------
def clock_change(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """A line for the weeks in which the clocks change; empty for all others."""
    before, after = start.astimezone(zone).utcoffset(), end.astimezone(zone).utcoffset()
    if before is None or after is None or before == after:
        return ""
    low, high = start, end
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    way = "forward" if after > before else "back"
    return (
        f"On {times.day_words(high, zone)} the clocks go {way} in {times.zone_name(zone)}. "
        "Each time here is what your clock will show on that day."
    )
