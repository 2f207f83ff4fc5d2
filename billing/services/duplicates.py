"""A second plan that was paid all the same: the younger one is ended at Stripe, paid back, and shown to staff."""

from __future__ import annotations

import structlog
from django.db import transaction
from django.utils import timezone

from billing import gateway
from billing.exceptions import RefundTooMuch, StripeRefused
from billing.models import (
    AlertKind,
    FamilyInvitation,
    FamilyMember,
    Payment,
    SubscriptionStatus,
    UserSubscription,
    VisitUse,
)
from billing.services import alerts, payments, plan_mails, refunds

logger = structlog.get_logger(__name__)

REASON = "A second plan was paid by mistake."


def step_back(younger: UserSubscription) -> None:
    """Take the younger row out of the way of an elder one, under the person's lock."""
    younger.status = SubscriptionStatus.CANCELLED
    younger.ended_at = timezone.now()
    younger.save(update_fields=["status", "ended_at", "updated_at"])


def take_over(*, elder: UserSubscription, younger: UserSubscription) -> None:
    """What the younger plan was used for in the meantime goes on in the elder one."""
    younger.duplicate_of = elder
    younger.save(update_fields=["duplicate_of", "updated_at"])
    VisitUse.objects.filter(subscription=younger).update(subscription=elder, period_start=elder.current_period_start)
    FamilyMember.objects.current().filter(subscription=younger).update(subscription=elder)
    FamilyInvitation.objects.open().filter(subscription=younger).update(subscription=elder)


def settle(row: UserSubscription) -> None:
    """End the duplicate at Stripe and give back every sum paid for it. May run again; does each thing once.

    Given plans have nothing at Stripe. Raises StripeUnavailable; the sweep comes back to it.
    """
    if row.stripe_subscription_id is None:
        return
    if row.stripe_status != "canceled":
        try:
            gateway.cancel_now(row.stripe_subscription_id)
        except StripeRefused as refusal:
            logger.info("stripe_cancel_refused", subscription=row.stripe_subscription_id, code=refusal.code)
        UserSubscription.objects.filter(pk=row.pk).update(stripe_status="canceled", updated_at=timezone.now())
    for invoice in gateway.invoices_of(row.stripe_subscription_id):
        if invoice.is_paid and invoice.amount_paid_cents:
            payment, _is_new = payments.record(row, invoice, row.plan)
            _give_back(row, payment)


def unsettled() -> list[UserSubscription]:
    """Duplicates that may still cost somebody money."""
    rows = UserSubscription.objects.filter(duplicate_of__isnull=False, stripe_subscription_id__isnull=False)
    return list(rows.exclude(stripe_status="canceled").select_related("plan", "user").order_by("pk")[:50])


@transaction.atomic
def _give_back(row: UserSubscription, payment: Payment) -> None:
    payment = Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
    if payment.refunds.exists():
        # Also one that failed: how that money goes back is for staff to decide.
        return
    try:
        refunds.ask(payment=payment, amount_cents=payment.left_cents, reason=REASON)
    except RefundTooMuch:
        return
    alerts.raise_alert(
        kind=AlertKind.DOUBLE_PLAN,
        cause=f"duplicate:{row.stripe_subscription_id}",
        words="Somebody paid for a second plan. It was ended and the money goes back by itself. "
        "Please look whether all is well.",
        user=row.user,
        subscription=row,
        payment=payment,
    )
    plan_mails.send_double_refunded(row, payment)
