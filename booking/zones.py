"""Which time zone a page speaks: the profile's, else the one chosen on this device, else the business's."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from settings_app.services import business_zone, zone_for
from techdeputies.lib.times import known_zone

COOKIE = "zone"
COOKIE_SECONDS = 365 * 24 * 3600


def zone_of(request: HttpRequest) -> ZoneInfo:
    """The zone of this person on this device."""
    if getattr(request.user, "time_zone", ""):
        return zone_for(request.user)
    return chosen_here(request) or business_zone()


def chosen_here(request: HttpRequest) -> ZoneInfo | None:
    """What this device remembers; None for nothing, or for a name that is none."""
    return known_zone(request.COOKIES.get(COOKIE, ""))


def remember(response: HttpResponseBase, name: str, choice: str, *, standard: str = "") -> None:
    """Keep a plain choice of this device for a year; the standard one needs no memory."""
    if choice == standard:
        response.delete_cookie(name, samesite="Lax")
        return
    response.set_cookie(
        name,
        choice,
        max_age=COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
