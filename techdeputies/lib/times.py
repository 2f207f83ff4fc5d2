"""Instants in words: one formatter for pages, mails and calendar files.

Moments are aware datetimes in UTC; zones are ``ZoneInfo``. Written by hand rather than with Django's
``date`` filter, which is a third of the cost of a page of two hundred times and follows the active locale.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

US_ZONES = (
    ("America/New_York", "Eastern Time (New York)"),
    ("America/Chicago", "Central Time (Chicago)"),
    ("America/Denver", "Mountain Time (Denver)"),
    ("America/Phoenix", "Arizona Time (Phoenix)"),
    ("America/Los_Angeles", "Pacific Time (Los Angeles)"),
    ("America/Anchorage", "Alaska Time (Anchorage)"),
    ("Pacific/Honolulu", "Hawaii Time (Honolulu)"),
)
_US_NAMES = dict(US_ZONES)


@lru_cache(maxsize=64)
def known_zone(name: str) -> ZoneInfo | None:
    """The zone of that IANA name, or None. Never raises, whatever a cookie or a form may hold."""
    if name not in available_names():
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


@lru_cache(maxsize=1)
def available_names() -> frozenset[str]:
    """Every IANA zone this machine knows, but for the technical ones."""
    return frozenset(
        name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/"))
    )


@lru_cache(maxsize=1)
def other_zones() -> tuple[tuple[str, str], ...]:
    """The choices beside ``US_ZONES``: each zone where people live once, under its present name, by city."""
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    names = {line.split("\t")[2] for line in table.splitlines() if line and not line.startswith("#")}
    lived_in = {name for name in names & available_names() if not name.startswith("Antarctica/")}
    return tuple(sorted(((name, _name(name)) for name in lived_in - _US_NAMES.keys()), key=lambda pair: pair[1]))


def zone_name(zone: ZoneInfo) -> str:
    """A name people know: "Central Time (Chicago)"; elsewhere the city: "Paris time", "Knox time (Indiana)"."""
    return _name(zone.key)


def _name(key: str) -> str:
    if key in _US_NAMES:
        return _US_NAMES[key]
    _, *places, city = ["", *key.replace("_", " ").split("/")]
    return f"{city} time ({places[1]})" if len(places) > 1 else f"{city} time"


def clock(moment: datetime, zone: ZoneInfo) -> str:
    """``10:00 AM``."""
    local = moment.astimezone(zone)
    return f"{local.hour % 12 or 12}:{local.minute:02d} {'AM' if local.hour < 12 else 'PM'}"


def day_words(moment: datetime, zone: ZoneInfo) -> str:
    """``Tuesday, December 1``."""
    return date_words(moment.astimezone(zone).date())


def long_date(moment: datetime, zone: ZoneInfo) -> str:
    """``Tuesday, December 1, 2026``."""
    local = moment.astimezone(zone)
    return f"{date_words(local.date())}, {local.year}"


def short_date(moment: datetime, zone: ZoneInfo) -> str:
    """``Dec 1``."""
    local = moment.astimezone(zone)
    return f"{MONTHS[local.month - 1][:3]} {local.day}"


def month_day(moment: datetime, zone: ZoneInfo) -> str:
    """``December 14``."""
    local = moment.astimezone(zone)
    return f"{MONTHS[local.month - 1]} {local.day}"


def when_words(moment: datetime, zone: ZoneInfo) -> str:
    """``Tuesday, December 1 at 10:00 AM, Central Time (Chicago)``."""
    return f"{day_words(moment, zone)} at {clock(moment, zone)}, {zone_name(zone)}"


def date_words(day: date) -> str:
    """``Tuesday, December 1`` of a local date."""
    return f"{WEEKDAYS[day.weekday()]}, {MONTHS[day.month - 1]} {day.day}"
