"""Payments that their payers deny at the bank: the plan waits until the bank has decided, and ends when it is lost.

As with all of Stripe's objects, an event is a hint to ask for the dispute, and a ticket keeps older answers from
overwriting newer ones.
"""

from __future__ import annotations

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing import gateway
from billing.exceptions import StripeMissing
from billing.gateway import StripeDispute
from billing.models import AlertKind, Dispute, Payment, UserSubscription
from billing.services import alerts, reads, refund_mails, refunds, subscriptions, syncing
from settings_app.services import business_zone
from techdeputies.lib.money import money
from techdeputies.lib.times import long_date

logger = structlog.get_logger(__name__)


def sync_dispute(stripe_dispute_id: str) -> Dispute | None:
    """Write what Stripe says about a dispute, and let its plan wait, go on or end.

    None when it is of no payment of ours. Raises StripeUnavailable, and refunds.NotKnownYet before its plan is here.
    """
    read = reads.next_read()
    try:
        found = gateway.dispute(stripe_dispute_id)
    except StripeMissing:
        logger.warning("stripe_dispute_unknown", dispute=stripe_dispute_id)
        return None
    payment = refunds.payment_behind(payment_intent_id=found.payment_intent_id, charge_id=found.charge_id)
    if payment is None:
        return None
    dispute = _write(payment, found, read)
    subscription = payment.subscription
    if dispute.is_lost and subscription is not None and subscription.stripe_subscription_id:
        syncing.cancel_now(subscription.stripe_subscription_id)
        syncing.sync_subscription(subscription.stripe_subscription_id)
    return dispute


# --- Inside ---------------------------------------------------------------------------------------------


@transaction.atomic
def _write(payment: Payment, found: StripeDispute, read: int) -> Dispute:
    subscription = _lock_owner_and_plan(payment)
    payment = Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
    dispute = Dispute.objects.filter(stripe_dispute_id=found.id).first()
    if dispute is None:
        dispute = Dispute(stripe_dispute_id=found.id, payment=payment)
    elif dispute.stripe_read >= read:
        return dispute
    dispute.amount_cents = found.amount_cents
    dispute.reason = found.reason
    dispute.status = found.status
    dispute.opened_at = found.created_at
    dispute.answer_by = found.answer_by
    dispute.closed_at = (dispute.closed_at or timezone.now()) if found.is_closed else None
    dispute.stripe_read = read
    dispute.save()
    refunds.recount(payment)
    if subscription is not None:
        payment.subscription = subscription
        _freeze_or_thaw(subscription)
    _tell(payment, dispute, found)
    return dispute


def _lock_owner_and_plan(payment: Payment) -> UserSubscription | None:
    """In the order of all locks: the person, then the plan, and only then the payment."""
    if payment.user_id is not None:
        User.objects.select_for_update(no_key=True).get(pk=payment.user_id)
    return subscriptions.lock(payment.subscription_id) if payment.subscription_id is not None else None


def _freeze_or_thaw(subscription: UserSubscription) -> None:
    """A plan waits while one of its payments is disputed, and after one was lost, until it has ended."""
    waits = Dispute.objects.against_us().filter(payment__subscription=subscription).exists()
    if waits == (subscription.frozen_at is not None):
        return
    subscription.frozen_at = timezone.now() if waits else None
    subscription.save(update_fields=["frozen_at", "updated_at"])


def _tell(payment: Payment, dispute: Dispute, found: StripeDispute) -> None:
    """Staff once when it is opened and once when it is lost; the person once, while it is open."""
    sum_words = money(dispute.amount_cents)
    if not found.is_closed:
        refund_mails.send_disputed(payment, dispute)
        day = f" by {long_date(found.answer_by, business_zone())}" if found.answer_by is not None else ""
        _alert(
            payment,
            f"dispute:{found.id}",
            f"A payment of {sum_words} is disputed at the bank, and its plan waits. "
            f"Please call the person, and answer the bank in Stripe's dashboard{day}.",
        )
    elif dispute.is_lost:
        _alert(
            payment,
            f"dispute:{found.id}:lost",
            f"The bank has taken {sum_words} back for good, and the plan that it paid for has ended. "
            "Please look whether the person should be called.",
        )


def _alert(payment: Payment, cause: str, words: str) -> None:
    alerts.raise_alert(
        kind=AlertKind.DISPUTE,
        cause=cause,
        words=words,
        user=payment.user,
        subscription=payment.subscription,
        payment=payment,
    )
