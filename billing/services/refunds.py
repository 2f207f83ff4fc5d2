"""Giving money back: the wish is a row first, then Stripe is asked, then what Stripe says is written.

A wish that was cut off is settled by asking Stripe for the refunds of the payment before anything is sent again, so
no sum goes back twice. How much of a payment is gone is recounted from rows under the payment's lock, never stepped.
"""

from __future__ import annotations

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.models import User
from audit.actors import Actor
from audit.services import record_admin_action
from billing import gateway
from billing.exceptions import (
    NothingToRefund,
    PaymentDisputed,
    PaymentMovedOn,
    RefundTooMuch,
    StripeMissing,
    StripeRefused,
    StripeUnavailable,
)
from billing.gateway import StripeInvoice, StripeRefund
from billing.models import (
    AlertKind,
    Dispute,
    Payment,
    PlanPrice,
    Refund,
    RefundState,
    UserSubscription,
)
from billing.services import alerts, payments, reads, refund_mails
from techdeputies.lib import waking
from techdeputies.lib.money import money

logger = structlog.get_logger(__name__)

SEND_TASK = "billing.tasks.send_refunds"
"""Named, not imported: tasks stand above services."""

BATCH = 50
MADE_AT_STRIPE = "Made in Stripe's dashboard."
WORD_LENGTH = 100

_STATES = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.CANCELED,
}
_GOES_BACK = (RefundState.PENDING, RefundState.SUCCEEDED)


class NotKnownYet(Exception):
    """Money of a plan of ours moved, and the plan is not here yet. Its own event brings it; ask again then."""


@transaction.atomic
def ask(
    *, payment: Payment, amount_cents: int, reason: str, actor: Actor | None = None, left_cents: int | None = None
) -> Refund:
    """Decide to give ``amount_cents`` of the payment back, in the caller's transaction; it is sent after the commit.

    ``left_cents`` is what staff saw to be left, so that a button pressed twice gives a part back once. Raises
    RefundTooMuch, or one of its kinds: NothingToRefund, PaymentDisputed, PaymentMovedOn.
    """
    payment = _lock(payment.pk)
    if Dispute.objects.open().filter(payment=payment).exists():
        raise PaymentDisputed
    left = payment.amount_cents - _gone(payment)
    if left <= 0 or not payment.stripe_payment_intent_id:
        raise NothingToRefund
    if left_cents is not None and left_cents != left:
        raise PaymentMovedOn
    if not 0 < amount_cents <= left:
        raise RefundTooMuch
    refund = Refund.objects.create(
        payment=payment,
        amount_cents=amount_cents,
        reason=reason,
        actor=actor.user if actor is not None else None,
    )
    recount(payment)
    if actor is not None:
        details = {"payment": payment.pk, "amount_cents": amount_cents, "whole": amount_cents == payment.amount_cents}
        record_admin_action(actor=actor, action="refund_asked", target=refund, details=details)
    transaction.on_commit(_wake, robust=True)
    return refund


def send(refund: Refund) -> Refund:
    """Ask Stripe to give it back, unless it has done so already. Raises StripeUnavailable: the sweep comes back to it."""
    refund = Refund.objects.select_related("payment").get(pk=refund.pk)
    if refund.state != RefundState.ASKED:
        return refund
    intent_id = str(refund.payment.stripe_payment_intent_id)
    read = reads.next_read()
    try:
        # Keys are forgotten after a day, and an answer may have been lost before that: the list tells.
        found = _known_at_stripe(refund, intent_id)
        if found is None:
            found = gateway.create_refund(
                payment_intent_id=intent_id,
                amount_cents=refund.amount_cents,
                metadata={"refund": refund.pk},
                key=f"refund:{refund.pk}",
            )
    except StripeRefused as refusal:
        return _refused(refund, refusal)
    return _write(refund.payment_id, found, read)


def send_asked() -> int:
    """Send what was decided and not sent yet; how many were. Raises StripeUnavailable."""
    sent = 0
    asked = Refund.objects.filter(state=RefundState.ASKED).order_by("created_at", "pk")
    for refund in list(asked[:BATCH]):
        try:
            send(refund)
        except (StripeUnavailable, SoftTimeLimitExceeded):
            raise
        except Exception:
            # One that cannot be understood does not keep the others from their turn.
            logger.exception("refund_not_sent", refund=refund.pk)
        else:
            sent += 1
    return sent


def sync_refund(stripe_refund_id: str) -> Refund | None:
    """Write what Stripe says about a refund, also about one that somebody made in its dashboard.

    None when it is of no payment of ours. Raises StripeUnavailable, and NotKnownYet before its plan is here.
    """
    read = reads.next_read()
    try:
        found = gateway.refund(stripe_refund_id)
    except StripeMissing:
        logger.warning("stripe_refund_unknown", refund=stripe_refund_id)
        return None
    payment = payment_behind(payment_intent_id=found.payment_intent_id, charge_id=found.charge_id)
    return _write(payment.pk, found, read) if payment is not None else None


def recount(payment: Payment) -> None:
    """Store how much of the payment is gone. Trustworthy only under its lock."""
    # Somebody at Stripe may give back what a wish of ours, soon to be refused, was for as well.
    payment.refunded_cents = min(_gone(payment), payment.amount_cents)
    payment.save(update_fields=["refunded_cents", "updated_at"])


def payment_behind(*, payment_intent_id: str, charge_id: str) -> Payment | None:
    """The payment that a refund or a dispute is of, written down now where that has not happened yet; else None.

    News of it may overtake the news of the payment itself. Raises StripeUnavailable and NotKnownYet.
    """
    if not payment_intent_id:
        return Payment.objects.filter(stripe_charge_id=charge_id).first() if charge_id else None
    payment = Payment.objects.filter(stripe_payment_intent_id=payment_intent_id).first()
    if payment is not None:
        return payment
    invoice = gateway.invoice_of_intent(payment_intent_id)
    if invoice is None or not invoice.is_paid or not invoice.subscription_id:
        return None
    return _written_now(invoice)


# --- Inside ---------------------------------------------------------------------------------------------


def _wake() -> None:
    waking.ask_for(SEND_TASK)


def _lock(payment_id: str) -> Payment:
    return Payment.objects.select_for_update(no_key=True).get(pk=payment_id)


def _gone(payment: Payment) -> int:
    """What went back or is on its way, and what a bank took back for good."""
    given = payment.refunds.counting().aggregate(cents=Sum("amount_cents"))["cents"] or 0
    taken = payment.disputes.lost().aggregate(cents=Sum("amount_cents"))["cents"] or 0
    return int(given + taken)


def _written_now(invoice: StripeInvoice) -> Payment | None:
    row = (
        UserSubscription.objects.select_related("plan", "user")
        .filter(stripe_subscription_id=invoice.subscription_id)
        .first()
    )
    price = PlanPrice.objects.select_related("plan").filter(stripe_price_id=invoice.price_id).first()
    if row is None:
        if price is None:
            return None
        raise NotKnownYet(f"invoice {invoice.id}")
    payment, _is_new = payments.record(row, invoice, price.plan if price is not None else row.plan)
    return payment


def _known_at_stripe(refund: Refund, intent_id: str) -> StripeRefund | None:
    made = gateway.refunds_of(intent_id)
    return next((item for item in made if item.metadata.get("refund") == refund.pk), None)


@transaction.atomic
def _write(payment_id: str, found: StripeRefund, read: int) -> Refund:
    payment = _lock(payment_id)
    refund = _row_of(payment, found)
    if refund.stripe_read >= read:
        return refund
    state = _STATES.get(found.status, RefundState.PENDING)
    had_failed = refund.state == RefundState.FAILED
    refund.state = state
    refund.stripe_refund_id = found.id
    refund.stripe_read = read
    refund.amount_cents = found.amount_cents
    refund.failure_reason = found.failure_reason[:WORD_LENGTH] if state == RefundState.FAILED else ""
    refund.settled_at = None if state == RefundState.PENDING else refund.settled_at or timezone.now()
    refund.save()
    recount(payment)
    if state in _GOES_BACK:
        refund_mails.send_refunded(payment, refund, given_at=found.created_at)
    elif state == RefundState.FAILED and not had_failed:
        _tell_of_failure(payment, refund)
    return refund


def _row_of(payment: Payment, found: StripeRefund) -> Refund:
    """Under the payment's lock: the row with its number, the wish that it answers, or a new one."""
    known = payment.refunds.filter(stripe_refund_id=found.id).first()
    if known is None:
        wish = payment.refunds.filter(pk=found.metadata.get("refund", ""), stripe_refund_id__isnull=True)
        known = wish.first()
    return known or Refund(payment=payment, amount_cents=found.amount_cents, reason=MADE_AT_STRIPE)


@transaction.atomic
def _refused(refund: Refund, refusal: StripeRefused) -> Refund:
    """Stripe gives nothing back: the wish has failed, and the sum counts as ours again."""
    payment = _lock(refund.payment_id)
    refund = Refund.objects.get(pk=refund.pk)
    if refund.state != RefundState.ASKED:
        return refund
    refund.state = RefundState.FAILED
    refund.failure_reason = (refusal.code or "refused")[:WORD_LENGTH]
    refund.settled_at = timezone.now()
    refund.save(update_fields=["state", "failure_reason", "settled_at", "updated_at"])
    recount(payment)
    logger.warning("refund_refused", refund=refund.pk, code=refusal.code, detail=refusal.detail)
    _tell_of_failure(payment, refund)
    return refund


def _tell_of_failure(payment: Payment, refund: Refund) -> None:
    user: User | None = payment.user
    alerts.raise_alert(
        kind=AlertKind.REFUND_FAILED,
        cause=f"refund:{refund.pk}",
        words=f"A refund of {money(refund.amount_cents)} did not reach the person, so the money is with us again "
        f"(Stripe says: {refund.failure_reason or 'no reason'}). "
        "Please call the person and agree on another way, or try once more.",
        user=user,
        subscription=payment.subscription,
        payment=payment,
    )
