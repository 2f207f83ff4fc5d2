"""Pages that gather several apps, pages of words, and what is said when something goes wrong."""

from __future__ import annotations

import secrets
from typing import Any

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods

from booking.zones import zone_of
from settings_app.services import business_zone, value
from techdeputies import dashboard as gathered
from techdeputies import home as front
from techdeputies.context_processors import TEXT_COOKIE, TEXT_SIZES, THEME_COOKIE, THEMES, last_known
from techdeputies.hours import today_line

logger = structlog.get_logger(__name__)

COOKIE_SECONDS = 60 * 60 * 24 * 365


# --- Pages ----------------------------------------------------------------------------------------------
@login_not_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html", {"body": front.body(zone_of(request))})


@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard.html", gathered.for_user(request.user, zone_of(request)))  # type: ignore[arg-type]


@login_not_required
@require_GET
def help_page(request: HttpRequest) -> HttpResponse:
    hours = value("business_hours_words")
    return render(
        request,
        "pages/help.html",
        {
            "today_line": today_line(hours, timezone.now(), business_zone()),
            "cutoff_hours": value("cancellation_cutoff_hours"),
        },
    )


@login_not_required
@require_GET
def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/privacy.html")


@login_not_required
@require_GET
def terms(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "pages/terms.html",
        {
            "notice_hours": value("booking_notice_hours"),
            "horizon_days": value("booking_horizon_days"),
            "cutoff_hours": value("cancellation_cutoff_hours"),
        },
    )


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def display_settings(request: HttpRequest) -> HttpResponse:
    """Text size and colors, kept on this device in two cookies; no account is needed."""
    if request.method == "POST":
        return _save_display(request)
    came_from = _own_path(request, request.GET.get("next", ""))
    return render(request, "pages/display_settings.html", {"next": came_from})


def _save_display(request: HttpRequest) -> HttpResponse:
    came_from = _own_path(request, request.POST.get("next", ""))
    response = redirect(came_from or reverse("display_settings"))
    for cookie, known in ((THEME_COOKIE, THEMES), (TEXT_COOKIE, TEXT_SIZES)):
        chosen = request.POST.get(cookie, "")
        if chosen in known:
            response.set_cookie(
                cookie,
                chosen,
                max_age=COOKIE_SECONDS,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        else:
            response.delete_cookie(cookie, samesite="Lax")
    messages.success(request, "Saved. This device will show our pages this way.")
    return response


def _own_path(request: HttpRequest, wanted: str) -> str:
    """``wanted`` when it is an address of this site, else nothing."""
    safe = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if safe else ""


# --- When something goes wrong ----------------------------------------------------------------------------
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error_page(request, "400.html", 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error_page(request, "403.html", 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error_page(request, "404.html", 404)


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form was sent without its token: most often a page left open for days, or cookies turned off."""
    logger.warning("form_refused", reason=reason)
    return _error_page(request, "403_csrf.html", 403)


def server_error(request: HttpRequest) -> HttpResponse:
    """The page that needs nothing but its file: no database, no person, no session."""
    reference = str(structlog.contextvars.get_contextvars().get("request_id") or secrets.token_hex(8))[:8].upper()
    logger.error("server_error_page", reference=reference)
    return HttpResponse(_plain("500.html", reference=reference), status=500)


def _error_page(request: HttpRequest, template: str, status: int) -> HttpResponse:
    """In the site's frame where that can be had, else the plain page: an error page must not be the next error."""
    try:
        return render(request, template, status=status)
    except Exception as trouble:
        logger.error("error_page_in_trouble", page=template, reason=type(trouble).__name__)
        response = HttpResponse(_plain("503.html"), status=503)
        response.headers["Retry-After"] = "10"
        return response


def _plain(template: str, **context: Any) -> str:
    return render_to_string(template, {"site": last_known(), **context})
