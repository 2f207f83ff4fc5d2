"""What every page shows: how to reach the business, and how this person likes to read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from settings_app import services as site_settings
from techdeputies.lib.times import zone_name

THEME_COOKIE = "theme"
TEXT_COOKIE = "text"
THEMES = ("light", "dark")
TEXT_SIZES = ("large", "larger")

_SECTIONS = (
    ("/help/", "help"),
    ("/dashboard/", "account"),
    ("/booking/visits/", "account"),
    ("/booking/", "book"),
    ("/accounts/login/", "sign_in"),
    ("/accounts/", "account"),
    ("/emails/", "account"),
    ("/billing/", "account"),
    ("/subscriptions/mine/", "account"),
    ("/subscriptions/cancel/", "account"),
    ("/subscriptions/family/", "account"),
    ("/subscriptions/", "plans"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """The business as pages name it. ``phone_href`` is the number after ``tel:``."""

    name: str
    phone: str
    phone_href: str
    email: str
    address: str
    hours: str
    zone_key: str
    zone_words: str
    year: int


_last_known: Site | None = None


def last_known() -> Site | None:
    """The site as this process last saw it, for pages that must not ask the database. None before the first page."""
    return _last_known


def site_now() -> Site:
    """The present values of the settings. Runs no query while they are warm."""
    global _last_known
    value = site_settings.value
    zone = site_settings.business_zone()
    _last_known = _site(
        value("business_name"),
        value("business_phone"),
        value("business_email"),
        value("business_address"),
        value("business_hours_words"),
        zone.key,
        zone_name(zone),
        timezone.now().astimezone(zone).year,
    )
    return _last_known


@lru_cache(maxsize=8)
def _site(name: str, phone: str, email: str, address: str, hours: str, zone_key: str, zone: str, year: int) -> Site:
    return Site(name, phone, phone_href(phone), email, address, hours, zone_key, zone, year)


def phone_href(phone: str) -> str:
    """``(312) 555-0142`` as ``+13125550142``. A number of ten digits is taken for an American one."""
    digits = "".join(letter for letter in phone if letter.isdigit())
    if phone.strip().startswith("+"):
        return f"+{digits}"
    if len(digits) == 10:
        return f"+1{digits}"
    return f"+{digits}" if len(digits) == 11 and digits[0] == "1" else digits


def site(request: HttpRequest) -> dict[str, Any]:
    """``site``, ``theme``, ``text_size`` and ``nav`` for every template. Touches neither session nor person."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    text_size = request.COOKIES.get(TEXT_COOKIE, "")
    return {
        "site": site_now(),
        "theme": theme if theme in THEMES else "",
        "text_size": text_size if text_size in TEXT_SIZES else "",
        "nav": next((name for start, name in _SECTIONS if request.path.startswith(start)), ""),
    }
