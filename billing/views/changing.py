"""Moving to another plan, stopping one's own, and keeping it: a check page each, then one press."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.web import person
from billing import gateway, standing
from billing.exceptions import (
    AlreadyOnPlan,
    CardDeclined,
    NotBoughtHere,
    OutcomeUnknown,
    PaymentOwed,
    PlanOnHold,
    PlanStops,
    StripeUnavailable,
)
from billing.models import Plan
from billing.services import changes, plan_mails
from billing.services.previews import Change
from billing.standing import Standing, State
from billing.views.shared import PAGE, STRIPE_SECONDS, counted, find_plan, not_now, used_words
from billing.words import sessions_a_month
from settings_app.services import zone_for
from techdeputies.lib.exceptions import DomainError
from techdeputies.lib.money import money, money_list
from techdeputies.lib.times import day_words, long_date, month_day

MY_PLAN = "billing:my_plan"


# --- Moving to another plan -------------------------------------------------------------------------------
@require_http_methods(PAGE)
@counted
def plan_change(request: HttpRequest, plan_name: str) -> HttpResponse:
    """The check page with Stripe's own sums. GET shows, POST moves."""
    user, plan = person(request), find_plan(plan_name)
    refused = _not_to_change(request, user, plan)
    if refused is not None:
        return refused
    if request.method != "POST":
        return _change_page(request, user, plan)
    try:
        with gateway.within(STRIPE_SECONDS):
            done = changes.change(user=user, plan=plan, token=request.POST.get("token", ""))
    except StripeUnavailable as fault:
        is_known = not isinstance(fault, OutcomeUnknown)
        return not_now(request, again=request.path if is_known else reverse(MY_PLAN), is_known=is_known)
    except DomainError as refusal:
        return _change_page(request, user, plan, refusal=refusal)
    if done.acts_at > timezone.now():
        day = month_day(done.acts_at, zone_for(user))
        messages.success(
            request, f"From {day} you will have the {plan.display_name} plan. Until then everything stays as it is."
        )
    else:
        messages.success(request, f"You have the {plan.display_name} plan now.")
    return redirect(MY_PLAN)


def _not_to_change(request: HttpRequest, user: User, plan: Plan) -> HttpResponse | None:
    """The way on for who cannot move to this plan; None for who can."""
    now = standing.of(user)
    own = now.own
    if own is None:
        return redirect("billing:checkout", plan.name)
    if own.is_granted:
        messages.warning(request, NotBoughtHere.message)
    elif own.plan_id == plan.pk:
        messages.info(request, AlreadyOnPlan.message)
    elif own.next_plan_id == plan.pk:
        messages.info(request, "This move is planned already. Nothing more is needed.")
    elif now.state == State.ENDING:
        messages.warning(request, PlanStops.message)
    elif not now.may_change:
        messages.warning(request, PlanOnHold.message if now.state == State.FROZEN else PaymentOwed.message)
    else:
        return None
    return redirect(MY_PLAN)


def _change_page(request: HttpRequest, user: User, plan: Plan, *, refusal: DomainError | None = None) -> HttpResponse:
    try:
        with gateway.within(STRIPE_SECONDS):
            change = changes.preview(user=user, plan=plan)
    except StripeUnavailable:
        return not_now(request, again=request.path)
    except DomainError as no:
        messages.error(request, (refusal or no).message)
        return redirect(MY_PLAN)
    context = {
        "plan": plan,
        "change": change,
        "rows": change_rows(change, zone_for(user)),
        "refusal": refusal.message if refusal is not None else "",
        "is_declined": isinstance(refusal, CardDeclined),
        "acts_day": month_day(change.acts_at, zone_for(user)),
        "is_smaller_family": plan.family_size < change.from_plan.family_size,
        "people": plan.family_size,
    }
    return render(request, "billing/plan_change.html", context, status=409 if refusal is not None else 200)


def change_rows(change: Change, zone: ZoneInfo) -> list[dict[str, str]]:
    """Old and new plan, from when, and both sums."""
    new, old = change.to_plan, change.from_plan
    rows = [
        {"key": "Your plan now", "value": old.display_name, "soft": sessions_a_month(old)},
        {
            "key": "Your new plan",
            "value": f"{new.display_name}, {money(change.new_price_cents)} a month",
            "soft": sessions_a_month(new),
        },
    ]
    if change.is_upgrade:
        rows += [
            {"key": "Starts", "value": "At once", "soft": "Sessions you have used this month still count."},
            {"key": "You pay now", "value": money_list(change.due_now_cents), "soft": _difference(change, zone)},
        ]
    else:
        rows += [
            {"key": "Starts", "value": long_date(change.acts_at, zone), "soft": "Until then nothing changes."},
            {"key": "You pay now", "value": "Nothing"},
        ]
    rows.append(
        {
            "key": "Next payment",
            "value": f"{money_list(change.next_payment_cents)} on {long_date(change.next_payment_at, zone)}",
            "soft": "Then each month, until you stop.",
        }
    )
    return rows


def _difference(change: Change, zone: ZoneInfo) -> str:
    """How the sum comes about."""
    return (
        f"{money_list(change.charged_cents)} for {change.to_plan.display_name} until "
        f"{month_day(change.next_payment_at, zone)}, less {money_list(change.credited_cents)} "
        f"for the days of {change.from_plan.display_name} that you paid and no longer need."
    )


@require_http_methods(PAGE)
@counted
def plan_change_forget(request: HttpRequest) -> HttpResponse:
    """Stay on the present plan after all."""
    return _press(request, changes.forget_change, "Nothing changes. You stay on your plan.")


# --- Stopping and keeping ---------------------------------------------------------------------------------
@require_http_methods(PAGE)
@counted
def plan_cancel(request: HttpRequest) -> HttpResponse:
    """The check page before stopping. GET shows, POST stops at the period's end."""
    user = person(request)
    now, zone = standing.of(user), zone_for(user)
    own = now.own
    if own is None or now.state == State.ENDING:
        return redirect(MY_PLAN)
    if own.is_granted:
        messages.warning(request, NotBoughtHere.message)
        return redirect(MY_PLAN)
    if request.method == "POST":
        return _press(request, changes.cancel, f"Your plan will stop{_stop_words(now, zone)}. You pay nothing more.")
    context = {"plan": own.plan, "rows": _cancel_rows(now, zone), "needs_payment": now.needs_payment}
    return render(request, "billing/plan_cancel.html", context)


def _last_day(now: Standing) -> datetime | None:
    """Until when a plan that is stopped now still works; None when the coming month was never paid."""
    own = now.own
    return None if own is None or now.needs_payment else own.current_period_end


def _stop_words(now: Standing, zone: ZoneInfo) -> str:
    end = _last_day(now)
    return f" on {day_words(end, zone)}" if end is not None else ""


def _cancel_rows(now: Standing, zone: ZoneInfo) -> list[dict[str, str]]:
    own, end = now.own, _last_day(now)
    if own is None:
        return []
    rows = [{"key": "Plan", "value": own.plan.display_name, "soft": plan_mails.price_words(own)}]
    if end is not None:
        rows += [
            {"key": "It works until", "value": long_date(end, zone)},
            {"key": "Sessions until then", "value": used_words(now)},
        ]
    rows.append({"key": "More to pay", "value": "Nothing"})
    return rows


@require_http_methods(PAGE)
@counted
def plan_keep(request: HttpRequest) -> HttpResponse:
    """Take the stop back."""
    return _press(request, changes.keep, "Your plan goes on. Nothing else changes.")


def _press(request: HttpRequest, act: Any, done: str) -> HttpResponse:
    """One press on one's own plan, then back to its page. Whoever only looks in is led there, too."""
    if request.method != "POST":
        return redirect(MY_PLAN)
    try:
        with gateway.within(STRIPE_SECONDS):
            act(user=person(request))
    except StripeUnavailable as fault:
        return not_now(request, again=reverse(MY_PLAN), is_known=not isinstance(fault, OutcomeUnknown))
    except DomainError as refusal:
        messages.warning(request, refusal.message)
    else:
        messages.success(request, done)
    return redirect(MY_PLAN)
