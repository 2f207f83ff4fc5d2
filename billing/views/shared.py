"""What the pages of plans and money share: the count of presses, ways out to Stripe, the page for its faults."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from billing.models import Plan
from billing.services import subscriptions
from billing.standing import Standing, State
from settings_app.decorators import rate_limited

PAGE = ["GET", "HEAD", "POST"]

STRIPE_SECONDS = 10.0
"""All calls to Stripe for one page take no longer than this together."""

counted = rate_limited("checkout", per_account=True)
"""Answers 429 to too many presses from one address or of one person; looking is free."""


def see_other(url: str) -> HttpResponse:
    """On to a page of Stripe's after a press: 303, so that the press is not sent along."""
    return HttpResponseRedirect(url, status=303)


def find_plan(name: str) -> Plan:
    """The plan of that name, on offer or not."""
    plan = Plan.objects.filter(name=name.replace("\x00", "")).first()
    if plan is None:
        raise Http404
    return plan


def not_now(request: HttpRequest, *, again: str, is_known: bool = True) -> HttpResponse:
    """The page for a Stripe that does not answer. ``again`` is where to try once more.

    ``is_known``: nothing can have moved. Else the press may have arrived, and the page says to look first.
    """
    response = render(request, "billing/not_now.html", {"again": again, "is_known": is_known}, status=503)
    response.headers["Retry-After"] = "60"
    return response


def used_words(now: Standing) -> str:
    """``2 of 5 used, 3 left``; what is left only where it can be used."""
    row = now.subscription
    if row is None:
        return ""
    counts = subscriptions.allowance(row)
    if row.plan.is_unlimited:
        return f"Unlimited. {counts.counted} booked this month"
    used = f"{counts.counted} of {row.plan.session_limit} used"
    return f"{used}, {counts.left(row.plan)} left" if now.state in (State.ACTIVE, State.ENDING) else used
