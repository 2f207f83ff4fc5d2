"""What several pages need: the count of presses, the picker, the words on the plan."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from accounts.models import User
from billing.entitlements import Entitlement
from booking import timetable, words, zones
from booking.models import CalendarEvent
from settings_app.decorators import rate_limited
from techdeputies.lib import times

STEPS = ("Pick a time", "Check it", "Booked")
VIEW_COOKIE = "times"


def person(request: HttpRequest) -> User:
    """Who is signed in; pages that ask are closed to others."""
    return cast(User, request.user)


counted = rate_limited("booking", per_account=True)
"""Answers 429 to too many presses from one address or of one person; looking is free."""


def picker(request: HttpRequest, *, href: str, suffix: str = "") -> dict[str, Any]:
    """The week the address asks for, as the page and its htmx part show it.

    An unreadable ``week`` gets the first week with times, and a line that says so.
    """
    zone = zones.zone_of(request)
    raw = request.GET.get("week", "")
    wanted = timetable.read_day(raw)
    week, html = timetable.shown(wanted, zone, chosen_view(request))
    own = timetable.own_bookings(week, person(request).pk) if request.user.is_authenticated else []
    return {
        "week": timetable.personal(html, zone, href=href, suffix=suffix, own=own),
        "week_not_read": bool(raw) and wanted is None,
        "zone_words": times.zone_name(zone),
        "clock_now": times.clock(timezone.now(), zone),
    }


def wants_part(request: HttpRequest) -> bool:
    """Does htmx ask for the week alone? Where it restores a page for the Back button it needs the whole."""
    headers = request.headers
    return headers.get("HX-Request") == "true" and headers.get("HX-History-Restore-Request") != "true"


def chosen_view(request: HttpRequest) -> str:
    """Grid or list: as asked, else as remembered on this device."""
    known = (timetable.WEEK_VIEW, timetable.LIST_VIEW)
    asked = request.GET.get("view", "")
    if asked in known:
        return asked
    remembered = request.COOKIES.get(VIEW_COOKIE, "")
    return remembered if remembered in known else timetable.WEEK_VIEW


def remember_view(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Keep the choice of view, and tell caches that htmx gets another answer."""
    if "view" in request.GET:
        zones.remember(response, VIEW_COOKIE, chosen_view(request), standard=timetable.WEEK_VIEW)
    patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request", "Cookie"])
    return response


def facts_rows(event: CalendarEvent, zone: ZoneInfo, *, change_url: str = "", phone: str = "") -> list[dict[str, str]]:
    """Day, time, session and how, for the summary list. With ``change_url`` the first two can be changed."""
    facts = words.facts(event, zone, phone=phone)
    length = (event.end_time - event.start_time) // timedelta(minutes=1)
    clock = f"{facts.zone}. {length} minutes."
    return [
        {"key": "Day", "value": facts.day, "change_url": change_url},
        {
            "key": "Time",
            "value": facts.hours,
            "soft": f"{clock} {facts.elsewhere}".strip(),
            "change_url": change_url,
        },
        {"key": "Session", "value": facts.title, "soft": f"With {words.mid_sentence(facts.deputy)}. {facts.company}"},
        {"key": "How", "value": facts.how},
    ]


def plan_words(plan: Entitlement, zone: ZoneInfo) -> str:
    """The line above the times: what is left. Empty without a plan."""
    if not plan.has_plan or plan.why_not:
        return plan.why_not if plan.has_plan else ""
    if plan.is_unlimited:
        return f"Your {plan.plan_name} plan has unlimited sessions."
    until = f" until {times.month_day(plan.period_end, zone)}" if plan.period_end else ""
    return f"Your {plan.plan_name} plan has {plan.visits_left} of {plan.visit_limit} sessions left{until}."


def cost_row(plan: Entitlement) -> dict[str, str]:
    """What the session costs somebody who may book."""
    if plan.is_unlimited:
        soft = f"Your {plan.plan_name} plan has unlimited sessions"
    elif plan.visits_left == 1:
        soft = f"Uses the last session left on your {plan.plan_name} plan for this month"
    else:
        soft = f"Uses 1 of the {plan.visits_left} sessions left on your {plan.plan_name} plan"
    return {"key": "Cost", "value": "Nothing more to pay", "soft": soft}
