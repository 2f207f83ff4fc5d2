"""What wraps every answer: the security headers, and a calm page when the database cannot be reached."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import structlog
from csp.constants import HEADER as CSP_HEADER
from csp.utils import build_policy
from django.conf import settings
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import loader

from techdeputies.context_processors import last_known

GetResponse = Callable[[HttpRequest], HttpResponseBase]

logger = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 10

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "autoplay",
        "browsing-topics",
        "camera",
        "display-capture",
        "encrypted-media",
        "fullscreen",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "screen-wake-lock",
        "usb",
        "xr-spatial-tracking",
    )
)


class SecurityHeadersMiddleware:
    """Complete the security headers of every answer, whoever made it.

    Stands outermost: redirects to https, static files, refused hosts, health answers and error pages never
    reach the inner middleware that sets some of these. What a view has set stays as it is. Runs no query and
    never reads the Host header, so it cannot fail on a bad request.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.headers = {
            CSP_HEADER: build_policy(),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": settings.X_FRAME_OPTIONS,
            "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
            "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": PERMISSIONS_POLICY,
        }
        self.hsts = self._hsts()
        # The one picture that pages of others show: web mail loads it from its own address.
        self.shown_in_mail = f"{settings.STATIC_URL}img/badge-email."

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path_info.startswith(self.shown_in_mail):
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        for name, value in self.headers.items():
            response.headers.setdefault(name, value)
        if self.hsts and request.is_secure():
            response.headers.setdefault("Strict-Transport-Security", self.hsts)
        if self._is_personal(request, response):
            response.headers.setdefault("Cache-Control", "no-store, private")
        return response

    def _is_personal(self, request: HttpRequest, response: HttpResponseBase) -> bool:
        """Signed in before or after this answer. The cookie tells, without asking the database."""
        name = settings.SESSION_COOKIE_NAME
        return name in request.COOKIES or name in response.cookies

    @staticmethod
    def _hsts() -> str:
        if not settings.SECURE_HSTS_SECONDS:
            return ""
        parts = [f"max-age={settings.SECURE_HSTS_SECONDS}"]
        if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS:
            parts.append("includeSubDomains")
        if settings.SECURE_HSTS_PRELOAD:
            parts.append("preload")
        return "; ".join(parts)


DATABASE_TROUBLE = (OperationalError, InterfaceError)


class DatabaseDownMiddleware:
    """Answer 503 with Retry-After while the database is away, slow or restarting.

    A view's exception comes by ``process_exception``. One from a middleware (the log-in check reads the
    person) has become a 500 further in before it could be caught here; Django's signal tells of it.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        got_request_exception.connect(_note_trouble, dispatch_uid="database_trouble")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if getattr(request, "database_trouble", False) and response.status_code == 500:
            return database_down()
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DATABASE_TROUBLE):
            return None
        logger.error("database_unreachable", reason=type(exception.__cause__ or exception).__name__)
        return database_down()


def _note_trouble(*, request: HttpRequest | None = None, **_signal: Any) -> None:
    if request is not None and isinstance(sys.exc_info()[1], DATABASE_TROUBLE):
        request.database_trouble = True  # type: ignore[attr-defined]


def database_down() -> HttpResponse:
    """The kind page that needs neither database nor request."""
    response = HttpResponse(loader.render_to_string("503.html", {"site": last_known()}), status=503)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    response.headers["Cache-Control"] = "no-store"
    return response
