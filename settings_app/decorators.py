"""``@rate_limited("login")``: tries from one address, counted twice.

django-ratelimit in the cache stands outside and is generous: it spares the database a flood. The exact count
is the row in ``rate_limits``, shared by all processes; it alone decides when the cache is down.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_ratelimit.core import get_usage

from settings_app.registry import WINDOW_SECONDS
from settings_app.services import hit_known_limits, remaining_wait, value
from techdeputies.lib.http import client_ip

View = Callable[..., Any]

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
FLOOD_FACTOR = 10
"""The outer limit as a multiple of the exact one, so that the two windows never contradict each other."""


def rate_limited(endpoint: str, *, per_account: bool = False) -> Callable[[View], View]:
    """Answer 429 when an address has sent too many forms. The number is the setting ``limit_<endpoint>_per_address``.

    With ``per_account`` the signed-in person is counted in the same statement, by ``limit_<endpoint>_per_account``
    (of the same window). GET is free. A blocked try reaches neither the view nor its form.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.method in UNSAFE:
                wait = count_try(request, endpoint, per_account=per_account)
                if wait:
                    return too_many(request, wait)
            return view(request, *args, **kwargs)

        return wrapped

    return decorate


def count_try(request: HttpRequest, endpoint: str, *, per_account: bool = False) -> int:
    """Counts this try as ``rate_limited`` does; for views that count a GET, or answer in their own words.

    Seconds to wait when it is one too many, else 0.
    """
    key = f"limit_{endpoint}_per_address"
    account_key = f"limit_{endpoint}_per_account"
    address = client_ip(request)
    usage = get_usage(
        request,
        group=key,
        key=lambda _group, _request: address,
        rate=(value(key) * FLOOD_FACTOR, WINDOW_SECONDS[key]),
        increment=True,
    )
    if usage is not None and usage["should_limit"]:
        return max(int(usage["time_left"]), remaining_wait(key, subject=address), 1)
    subjects = {key: address}
    if per_account and request.user.is_authenticated:
        subjects[account_key] = f"user:{request.user.pk}"
    return hit_known_limits(subjects).retry_after_seconds


def wait_words(seconds: int) -> str:
    """``45 seconds``, ``3 minutes``, ``2 hours``: rounded up, so the promise holds."""
    if seconds < 60:
        number, word = seconds, "second"
    elif seconds < 3600:
        number, word = -(-seconds // 60), "minute"
    else:
        number, word = -(-seconds // 3600), "hour"
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def too_many(request: HttpRequest, retry_after_seconds: int) -> HttpResponse:
    """The 429 page with the true wait and the phone number. For limits counted in a view, too."""
    response = render(
        request,
        "429.html",
        {"retry_after_seconds": retry_after_seconds, "wait_words": wait_words(retry_after_seconds)},
        status=429,
    )
    response.headers["Retry-After"] = str(retry_after_seconds)
    response.headers["Cache-Control"] = "no-store"
    return response
