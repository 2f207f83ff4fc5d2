"""Today's line beside the opening hours: "Open now until 8 PM Central Time".

The hours are one setting in words, so that page, mail and this line cannot disagree; words it cannot read get no line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from techdeputies.lib.times import WEEKDAYS, zone_name

_DAY = "|".join(WEEKDAYS)
_HOUR = r"(\d{1,2})(?::(\d{2}))?\s*(AM|PM)"
_SHAPE = re.compile(rf"\s*({_DAY})\s+to\s+({_DAY}),?\s+(?:from\s+)?{_HOUR}\s+to\s+{_HOUR}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekdays as numbers from Monday = 0, and the local times between which somebody answers."""

    days: frozenset[int]
    opens: time
    closes: time


def read_hours(words: str) -> Hours | None:
    """``Monday to Saturday, 8 AM to 8 PM …`` as numbers, or None."""
    match = _SHAPE.match(words)
    if match is None:
        return None
    first, last = (WEEKDAYS.index(match[n].capitalize()) for n in (1, 2))
    opens, closes = _time(match[3], match[4], match[5]), _time(match[6], match[7], match[8])
    if opens is None or closes is None or opens >= closes:
        return None
    days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
    return Hours(days, opens, closes)


def _time(hour: str, minute: str | None, half: str) -> time | None:
    number, minutes = int(hour), int(minute or 0)
    if not 1 <= number <= 12 or minutes > 59:
        return None
    return time(number % 12 + (12 if half.upper() == "PM" else 0), minutes)


def today_line(words: str, now: datetime, zone: ZoneInfo) -> str:
    """Whether somebody answers the phone at ``now``, in one sentence; empty when ``words`` cannot be read."""
    hours = read_hours(words)
    if hours is None:
        return ""
    local = now.astimezone(zone)
    place = zone_name(zone).partition(" (")[0]
    if local.weekday() in hours.days:
        if hours.opens <= local.time() < hours.closes:
            return f"Open now until {_short(hours.closes)} {place}."
        if local.time() < hours.opens:
            return f"Closed now. We open today at {_short(hours.opens)} {place}."
    for ahead in range(1, 8):
        day = (local + timedelta(days=ahead)).weekday()
        if day in hours.days:
            name = "tomorrow" if ahead == 1 else f"on {WEEKDAYS[day]}"
            return f"Closed now. We open again {name} at {_short(hours.opens)} {place}."
    return ""


def _short(moment: time) -> str:
    """``8 AM``, ``8:30 AM``."""
    minutes = f":{moment.minute:02d}" if moment.minute else ""
    return f"{moment.hour % 12 or 12}{minutes} {'AM' if moment.hour < 12 else 'PM'}"
