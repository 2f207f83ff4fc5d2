"""One's own payments: the list, the receipt, Stripe's invoice, and Stripe's page for the card."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.web import person
from billing import gateway, standing
from billing.exceptions import StripeRefused, StripeUnavailable
from billing.models import Payment, Refund, RefundState
from billing.services import changes
from billing.views.shared import PAGE, STRIPE_SECONDS, counted, not_now, see_other
from settings_app.services import zone_for
from techdeputies.lib.exceptions import DomainError
from techdeputies.lib.money import money_list
from techdeputies.lib.times import long_date

PAGE_SIZE = 10
CARD = "card"

REFUND_WORDS = {
    RefundState.ASKED: "On its way to you",
    RefundState.PENDING: "On its way to you",
    RefundState.SUCCEEDED: "Given back",
    RefundState.FAILED: "Did not reach you. We are looking into it",
    RefundState.CANCELED: "Did not reach you. We are looking into it",
}


# --- The list and the receipt -----------------------------------------------------------------------------
@require_safe
def payment_list(request: HttpRequest) -> HttpResponse:
    """Every payment, the latest first, ten a page."""
    user = person(request)
    zone = zone_for(user)
    mine = Payment.objects.filter(user=user).order_by("-paid_at", "pk")
    page = Paginator(mine, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [_row(payment, zone) for payment in page]
    return render(request, "billing/payment_list.html", {"page": page, "rows": rows})


def _row(payment: Payment, zone: ZoneInfo) -> dict[str, Any]:
    back = payment.refunded_cents
    return {
        "id": payment.pk,
        "day": long_date(payment.paid_at, zone),
        "what": payment.what,
        "amount": money_list(payment.amount_cents),
        "back": ("All given back" if back == payment.amount_cents else f"{money_list(back)} given back")
        if back
        else "",
    }


@require_safe
def payment_detail(request: HttpRequest, payment_id: str) -> HttpResponse:
    """The receipt, to keep or print."""
    payment = _find(request, payment_id)
    user, zone = person(request), zone_for(person(request))
    rows = [
        {"key": "Paid on", "value": long_date(payment.paid_at, zone)},
        {"key": "For", "value": payment.what},
        {"key": "Paid by", "value": user.name or user.email},
        {"key": "Paid with", "value": payment.paid_with or "Bank card"},
        {"key": "Amount", "value": money_list(payment.amount_cents)},
    ]
    rows += [_refund_row(refund, zone) for refund in payment.refunds.order_by("created_at", "pk")]
    if payment.refunded_cents:
        rows.append({"key": "Left to us", "value": money_list(payment.left_cents)})
    rows.append({"key": "Receipt number", "value": payment.pk.upper()[-10:]})
    context = {"payment": payment, "rows": rows, "amount": money_list(payment.amount_cents)}
    return render(request, "billing/payment_detail.html", context)


def _refund_row(refund: Refund, zone: ZoneInfo) -> dict[str, str]:
    words = REFUND_WORDS[RefundState(refund.state)]
    day = refund.settled_at or refund.created_at
    return {"key": "Refund", "value": money_list(refund.amount_cents), "soft": f"{words}, {long_date(day, zone)}."}


def _find(request: HttpRequest, payment_id: str) -> Payment:
    payment = Payment.objects.filter(user=person(request), pk=payment_id).first()
    if payment is None:
        raise Http404
    return payment


# --- Out to Stripe --------------------------------------------------------------------------------------
@require_http_methods(PAGE)
@counted
def payment_invoice(request: HttpRequest, payment_id: str) -> HttpResponse:
    """On to Stripe's own invoice of this payment."""
    payment = _find(request, payment_id)
    receipt = redirect("billing:payment_detail", payment.pk)
    if request.method != "POST" or not payment.stripe_invoice_id:
        return receipt
    try:
        with gateway.within(STRIPE_SECONDS):
            url = gateway.hosted(gateway.invoice(payment.stripe_invoice_id).hosted_url)
    except StripeUnavailable:
        return not_now(request, again=reverse("billing:payment_detail", args=[payment.pk]))
    except StripeRefused:
        messages.error(request, "The invoice cannot be shown at the moment. This receipt says the same. Or call us.")
        return receipt
    return see_other(url)


@require_http_methods(PAGE)
@counted
def portal(request: HttpRequest) -> HttpResponse:
    """What Stripe's page is for, with a button that leads there. ``for=card`` opens the step for a new card."""
    user = person(request)
    now = standing.of(user)
    if not user.stripe_customer_id:
        messages.info(request, "You have not paid with a card here yet, so there is nothing to change.")
        return redirect("billing:my_plan")
    is_card = now.needs_payment or CARD in (request.GET.get("for"), request.POST.get("for"))
    if request.method != "POST":
        context = {
            "is_card": is_card,
            "trouble": standing.trouble(now, zone_for(user)),
            "has_plan": now.own is not None,
        }
        return render(request, "billing/portal.html", context)
    try:
        with gateway.within(STRIPE_SECONDS):
            url = changes.portal(user=user, flow=changes.CARD_FLOW if is_card else "")
    except StripeUnavailable:
        return not_now(request, again=request.path)
    except DomainError as refusal:
        messages.error(request, refusal.message)
        return redirect("billing:my_plan")
    return see_other(url)
