"""Buying a plan: the check page before payment, and the page after it."""

from __future__ import annotations

from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from accounts.web import person
from billing import gateway, standing
from billing.exceptions import (
    CheckoutNotYours,
    HasPlanAlready,
    PaymentPending,
    PlanNotOffered,
    SharesPlanAlready,
    StripeUnavailable,
)
from billing.models import Checkout, CheckoutState, Plan
from billing.services import checkout as buying
from billing.services import plan_mails
from billing.services.subscriptions import a_month_after
from billing.views.shared import PAGE, STRIPE_SECONDS, counted, find_plan, not_now, see_other
from billing.words import plan_words
from settings_app.services import zone_for
from techdeputies.lib.exceptions import DomainError
from techdeputies.lib.money import money_list
from techdeputies.lib.times import day_words, long_date

STEPS = ("Choose a plan", "Check it", "Pay")


# --- Before payment -------------------------------------------------------------------------------------
@require_http_methods(PAGE)
@counted
def checkout(request: HttpRequest, plan_name: str) -> HttpResponse:
    """Is this right? GET shows, POST goes on to Stripe's page. Nothing is taken here."""
    user, plan = person(request), find_plan(plan_name)
    if not plan.is_offered:
        messages.warning(request, PlanNotOffered.message)
        return redirect("billing:plan_list")
    now = standing.of(user)
    if now.own is not None:
        messages.info(request, HasPlanAlready.message)
        return redirect("billing:my_plan")
    if now.is_shared:
        messages.warning(request, SharesPlanAlready.message)
        return redirect("billing:plan_list")
    if request.method == "POST" and user.email_verified:
        return _go_to_pay(request, user, plan)
    return _check_page(request, user, plan)


def _go_to_pay(request: HttpRequest, user: User, plan: Plan) -> HttpResponse:
    """A second press, or another tab, leads to the same page of Stripe's."""
    try:
        with gateway.within(STRIPE_SECONDS):
            url = buying.begin_plan(user=user, plan=plan)
    except StripeUnavailable:
        return not_now(request, again=request.path)
    except HasPlanAlready as refusal:
        messages.info(request, refusal.message)
        return redirect("billing:my_plan")
    except PaymentPending:
        return redirect(_waiting_url(user))
    except DomainError as refusal:
        return _check_page(request, user, plan, refusal=refusal.message)
    return see_other(url)


def _waiting_url(user: User) -> str:
    """The page for a payment that is on its way: nobody is asked for a second one meanwhile."""
    waiting = Checkout.objects.open().filter(user=user, stripe_session_id__isnull=False).first()
    if waiting is None:
        return reverse("billing:my_plan")
    return f"{reverse('billing:checkout_return')}?{urlencode({'session_id': waiting.stripe_session_id})}"


def _check_page(request: HttpRequest, user: User, plan: Plan, *, refusal: str = "") -> HttpResponse:
    context = {
        "steps": STEPS,
        "plan": plan_words(plan),
        "rows": check_rows(plan, zone_for(user)),
        "refusal": refusal,
    }
    return render(request, "billing/checkout.html", context, status=409 if refusal else 200)


def check_rows(plan: Plan, zone: ZoneInfo) -> list[dict[str, str]]:
    """What, how much, when again, and how to stop."""
    words = plan_words(plan)
    price = money_list(plan.price_in_cents)
    following = a_month_after(timezone.now())
    return [
        {
            "key": "Plan",
            "value": words.title,
            "soft": f"Sessions: {words.sessions.lower()}. For: {words.people[0].lower()}{words.people[1:]}.",
            "change_url": reverse("billing:plan_list"),
        },
        {"key": "You pay today", "value": price},
        {
            "key": "Next payment",
            "value": f"{price} on {long_date(following, zone)}",
            "soft": "Then each month on that day, until you stop.",
        },
        {
            "key": "To stop",
            "value": "At any time, under My plan, or by phone",
            "soft": "You keep the plan until the end of the month you paid for.",
        },
    ]


# --- After payment --------------------------------------------------------------------------------------
@require_GET
def checkout_return(request: HttpRequest) -> HttpResponse:
    """Paid, still checking, or not paid. The one GET that may change something: it does what the webhook does."""
    user = person(request)
    session_id = request.GET.get("session_id", "")
    if not session_id:
        return _not_paid(request, user)
    try:
        with gateway.within(STRIPE_SECONDS):
            found = buying.fulfil(session_id, user=user)
    except CheckoutNotYours as unknown:
        raise Http404 from unknown
    except DomainError:
        # Whatever it is, money may be on its way: the page asks for patience, and the sweep goes on looking.
        return _still_checking(request, is_down=True)
    if found.state in (CheckoutState.EXPIRED, CheckoutState.FAILED):
        return _not_paid(request, user, found)
    if found.state != CheckoutState.PAID or found.subscription is None:
        return _still_checking(request)
    return _paid(request, user, found)


def _paid(request: HttpRequest, user: User, found: Checkout) -> HttpResponse:
    subscription = found.subscription
    if subscription is None or subscription.duplicate_of_id is not None:
        return render(request, "billing/checkout_twice.html", {"amount": money_list(found.amount_cents)})
    plan = subscription.plan
    context = {
        "plan": plan_words(plan),
        "title": f"Your {plan.display_name} plan has started.",
        "when": f"It runs until {day_words(subscription.current_period_end, zone_for(user))}, then month by month.",
        "next_payment": plan_mails.next_payment_words(subscription),
        "has_family": plan.family_size > 1,
    }
    return render(request, "billing/checkout_paid.html", context)


def _still_checking(request: HttpRequest, *, is_down: bool = False) -> HttpResponse:
    """Also while Stripe does not answer: the money may be there, so nobody is asked to pay again."""
    context = {"again": request.get_full_path(), "is_down": is_down}
    return render(request, "billing/checkout_checking.html", context)


def _not_paid(request: HttpRequest, user: User, found: Checkout | None = None) -> HttpResponse:
    """Came back without paying. Who has a plan all the same is led to it."""
    if standing.of(user).own is not None:
        return redirect("billing:my_plan")
    last = found or Checkout.objects.filter(user=user).select_related("plan").order_by("-created_at").first()
    plan = last.plan if last is not None else None
    return render(request, "billing/checkout_not_paid.html", {"plan": plan if plan and plan.is_offered else None})
