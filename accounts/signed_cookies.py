"""Short memories of signed-out visitors: signed, HttpOnly, and gone by themselves.

They hold a token taken out of an address, the step between signing up and verifying, the mark of a device
its owner has signed in on, and what a session is to be about. None of them needs a row (decisions, 7).
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

HOUR = 3600
DAY = 24 * HOUR

SIGNING_UP = "signing-up"
VERIFY_LINK = "verify-link"
RESET_LINK = "reset-link"
CHANGE_LINK = "change-link"
UNDO_LINK = "undo-link"
KEEP_LINK = "keep-link"
FAMILY_LINK = "family-link"
KNOWN_DEVICE = "device"
TOPIC = "topic"

MAX_AGES = {
    SIGNING_UP: DAY,
    VERIFY_LINK: HOUR,
    RESET_LINK: HOUR,
    CHANGE_LINK: HOUR,
    UNDO_LINK: HOUR,
    KEEP_LINK: HOUR,
    FAMILY_LINK: DAY,
    KNOWN_DEVICE: 365 * DAY,
    TOPIC: HOUR,
}


def remember(response: HttpResponseBase, name: str, value: Any) -> None:
    """Put ``value`` (anything JSON holds) into the visitor's cookie ``name``."""
    response.set_cookie(
        _cookie_name(name),
        signing.dumps(value, salt=_salt(name), compress=True),
        max_age=MAX_AGES[name],
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def recall(request: HttpRequest, name: str) -> Any:
    """What was remembered; None when there is nothing, it is too old, or somebody changed it."""
    raw = request.COOKIES.get(_cookie_name(name), "")
    if not raw:
        return None
    try:
        return signing.loads(raw, salt=_salt(name), max_age=MAX_AGES[name])
    except (signing.BadSignature, ValueError):
        return None


def forget(response: HttpResponseBase, name: str) -> None:
    response.delete_cookie(_cookie_name(name), path="/", samesite="Lax")
    if settings.SESSION_COOKIE_SECURE:
        response.cookies[_cookie_name(name)]["secure"] = True


def _cookie_name(name: str) -> str:
    """With https the browser itself refuses a ``__Host-`` cookie set by a neighbouring host."""
    return f"__Host-{name}" if settings.SESSION_COOKIE_SECURE else name


def _salt(name: str) -> str:
    return f"accounts.signed_cookies.{name}"
