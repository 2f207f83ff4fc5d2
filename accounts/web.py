"""What the views of this app share: where to go on, tokens out of addresses, opening a session."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import SESSION_KEY, login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import User
from accounts.services import Device
from accounts.signed_cookies import KNOWN_DEVICE, recall, remember

PEOPLE_OF_A_DEVICE = 5
SECRET_MAX_LENGTH = 200
PATH_MAX_LENGTH = 1_000


def own_path(raw: Any) -> str:
    """``raw`` when it is a path of this site, else nothing: no other host, no other scheme, no tricks."""
    if not isinstance(raw, str) or not raw.startswith("/") or len(raw) > PATH_MAX_LENGTH:
        return ""
    if any(ord(sign) < 33 or ord(sign) == 127 for sign in raw):
        return ""
    return raw if url_has_allowed_host_and_scheme(raw, allowed_hosts=None) else ""


def wanted(request: HttpRequest) -> str:
    """Where the visitor was going before signing in came between."""
    return own_path(request.POST.get("next") or request.GET.get("next") or "")


def go_on(path: str) -> HttpResponse:
    return redirect(own_path(path) or resolve_url(settings.LOGIN_REDIRECT_URL))


def person(request: HttpRequest) -> User:
    """The signed-in person; for views that need a log-in."""
    return cast(User, request.user)


@contextmanager
def at_least(seconds: float) -> Iterator[None]:
    """Take so long at least, so that known and unknown addresses are answered after the same time."""
    started = time.monotonic()
    try:
        yield
    finally:
        time.sleep(max(0.0, seconds - (time.monotonic() - started)))


def take_token(request: HttpRequest, cookie: str) -> HttpResponse:
    """Move a mailed secret from the address into a cookie, before a log, a script or another site sees it.

    Only this answer says no-referrer: on the page it leads to, which knows no secret, it would make browsers
    post ``Origin: null``, which the form protection must refuse.
    """
    response = redirect(request.path)
    remember(response, cookie, request.GET.get("token", "")[:SECRET_MAX_LENGTH])
    response.headers["Referrer-Policy"] = "no-referrer"
    return private(response)


def secret_of(request: HttpRequest, cookie: str) -> str:
    found = recall(request, cookie)
    return found if isinstance(found, str) else ""


def private(response: HttpResponse) -> HttpResponse:
    """Kept by nobody: the page shows an address or leads to a secret, and needs no session to be personal."""
    response.headers["Cache-Control"] = "no-store, private"
    return response


def open_session(request: HttpRequest, response: HttpResponse, user: User) -> HttpResponse:
    """Sign ``user`` in under a fresh id, and mark the device as one of theirs.

    Not while the address is unproven: whoever signed up with somebody else's would leave a mark for later.
    """
    if SESSION_KEY in request.session:
        request.session.flush()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return mark_device(request, response, user) if user.email_verified else response


def mark_device(request: HttpRequest, response: HttpResponse, user: User) -> HttpResponse:
    """Remember that this very person has used this device. The oldest of several people is forgotten first."""
    device = device_of(request)
    people = [user.pk, *(pk for pk in device.people if pk != user.pk)][:PEOPLE_OF_A_DEVICE]
    remember(response, KNOWN_DEVICE, {"id": device.id or secrets.token_hex(8), "people": people})
    return response


def device_of(request: HttpRequest) -> Device:
    found = recall(request, KNOWN_DEVICE)
    if not isinstance(found, dict):
        return Device()
    people = tuple(pk for pk in found.get("people", []) if isinstance(pk, int))
    return Device(id=str(found.get("id", ""))[:32], people=people)
