"""A person whom staff asked for a new password sees nothing else before it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

OPEN_ALL_THE_SAME = frozenset(
    {"accounts:password_change", "accounts:logout", "accounts:password_reset", "accounts:password_reset_confirm"}
    | {"help", "privacy", "terms", "display_settings", "livez", "readyz"}
)


class MustChangePasswordMiddleware:
    """Lead to the password page. Asks nobody who has no session, so public pages stay without a query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated:
            return None
        match = request.resolver_match
        if not request.user.must_change_password or (match is not None and match.view_name in OPEN_ALL_THE_SAME):
            return None
        return redirect("accounts:password_change")
