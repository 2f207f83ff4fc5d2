"""Writing down money that arrived: one row for each paid invoice."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from billing import gateway
from billing.gateway import StripeInvoice
from billing.models import Payment, PaymentKind, Plan, UserSubscription
from billing.signals import payment_completed
from settings_app.services import zone_for
from techdeputies.lib.times import month_day

_KIND = {
    "subscription_create": PaymentKind.PLAN_START,
    "subscription_cycle": PaymentKind.PLAN_RENEWAL,
    "subscription_update": PaymentKind.PLAN_CHANGE,
}


def record(row: UserSubscription, invoice: StripeInvoice, plan: Plan) -> tuple[Payment, bool]:
    """The payment behind a paid invoice of this plan, and whether it is new. Raises StripeUnavailable.

    ``plan`` is what the invoice was for; the row may have moved on since.
    """
    cause = f"invoice:{invoice.id}"
    known = Payment.objects.filter(cause=cause).first()
    if known is not None:
        return known, False
    charge = gateway.charge_of_invoice(invoice.id)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=row.user_id)
        payment, is_new = Payment.objects.get_or_create(
            cause=cause,
            defaults={
                "kind": _KIND.get(invoice.billing_reason, PaymentKind.PLAN_CHANGE),
                "user_id": row.user_id,
                "subscription": row,
                "what": _words(row, invoice, plan),
                "amount_cents": invoice.amount_paid_cents,
                "paid_at": invoice.paid_at or invoice.created_at,
                "paid_with": charge.paid_with if charge is not None else "",
                "period_start": invoice.period_start,
                "period_end": invoice.period_end,
                "stripe_invoice_id": invoice.id,
                "stripe_payment_intent_id": (charge.payment_intent_id or None) if charge is not None else None,
                "stripe_charge_id": charge.id if charge is not None else "",
            },
        )
        if is_new:
            payment_completed.send(sender=Payment, payment=payment)
    return payment, is_new


def _words(row: UserSubscription, invoice: StripeInvoice, plan: Plan) -> str:
    """``Standard plan, November 14 to December 14``."""
    if invoice.period_start is None or invoice.period_end is None:
        return f"{plan.display_name} plan"
    zone = zone_for(row.user)
    return f"{plan.display_name} plan, {month_day(invoice.period_start, zone)} to {month_day(invoice.period_end, zone)}"
