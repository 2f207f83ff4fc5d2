"""Bringing our rows to what Stripe says now. Every path ends here: return page, webhook, our own buttons, the night.

An event or a page is only a hint which object to ask for. The object is asked for outside any transaction, with a
ticket taken before; the row is written under the person's lock, unless a later look has written it already. All
that follows (mails, signals, refunds) hangs on facts of Stripe's objects and has a name that is used once, so
repeats, reordering and delay end in the same state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing import gateway
from billing.exceptions import StripeMissing, StripeRefused
from billing.gateway import StripeInvoice, StripeSubscription
from billing.models import (
    AlertKind,
    Checkout,
    Payment,
    PaymentKind,
    Plan,
    PlanPrice,
    SubscriptionStatus,
    UserSubscription,
)
from billing.services import alerts, duplicates, family, payments, plan_mails, reads, refunds, subscriptions
from billing.signals import subscription_ended

logger = structlog.get_logger(__name__)

_STATUS = {
    "trialing": SubscriptionStatus.ACTIVE,
    "active": SubscriptionStatus.ACTIVE,
    "past_due": SubscriptionStatus.PAST_DUE,
    "unpaid": SubscriptionStatus.PAST_DUE,
    "incomplete_expired": SubscriptionStatus.EXPIRED,
    "paused": SubscriptionStatus.EXPIRED,
    "canceled": SubscriptionStatus.CANCELLED,
}
_LIVE = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


@dataclass(frozen=True, slots=True)
class _Found:
    """A subscription of Stripe with the person and the plan it stands for."""

    current: StripeSubscription
    user: User
    plan: Plan
    next_plan: Plan | None
    paid: StripeInvoice | None
    read: int


def sync_subscription(
    stripe_subscription_id: str, *, paid_invoice: StripeInvoice | None = None
) -> UserSubscription | None:
    """Ask Stripe for the subscription and write what it says; the row, or None while no money has arrived.

    ``paid_invoice`` is a paid invoice of it that the caller has just looked at. None also for a subscription
    that belongs to nobody we know. Raises StripeUnavailable.
    """
    looked = _look(stripe_subscription_id, paid_invoice)
    if looked is None:
        return None
    current, row = looked
    if current.is_live and not row.user.is_active:
        # Whoever left pays nothing any more, whatever arrives late.
        cancel_now(current.id)
        looked = _look(stripe_subscription_id, paid_invoice)
        row = looked[1] if looked is not None else row
    for duplicate in _duplicates(row):
        duplicates.settle(duplicate)
    return row


def sync_invoice(stripe_invoice_id: str) -> Payment | None:
    """Ask Stripe for the invoice, bring its subscription up to date and record what was paid, once.

    The payment, or None when nothing was paid, or for an invoice that is no plan's. Raises StripeUnavailable.
    """
    try:
        invoice = gateway.invoice(stripe_invoice_id)
    except StripeMissing:
        logger.warning("stripe_invoice_unknown", invoice=stripe_invoice_id)
        return None
    if not invoice.subscription_id:
        return None
    row = sync_subscription(invoice.subscription_id, paid_invoice=invoice if invoice.is_paid else None)
    if row is None:
        return None
    if not invoice.is_paid:
        _tell_of_failure(row, invoice)
        return None
    return _record(row, invoice)


def cancel_now(stripe_subscription_id: str) -> None:
    """End it at Stripe at once; one that has ended meanwhile is left as it is. Raises StripeUnavailable."""
    try:
        gateway.cancel_now(stripe_subscription_id)
    except StripeRefused as refusal:
        logger.info("stripe_cancel_refused", subscription=stripe_subscription_id, code=refusal.code)


def customer_gone(stripe_customer_id: str) -> None:
    """A customer was deleted at Stripe, and with it all its subscriptions: end the rows and forget the number."""
    if gateway.customer_exists(stripe_customer_id):
        return
    for user in User.objects.filter(stripe_customer_id=stripe_customer_id):
        live = UserSubscription.objects.live().filter(user=user, stripe_subscription_id__isnull=False)
        for number in list(live.values_list("stripe_subscription_id", flat=True)):
            sync_subscription(str(number))
        User.objects.filter(pk=user.pk, stripe_customer_id=stripe_customer_id).update(stripe_customer_id=None)


# --- One look at Stripe ---------------------------------------------------------------------------------


def _look(
    stripe_subscription_id: str, paid_invoice: StripeInvoice | None
) -> tuple[StripeSubscription, UserSubscription] | None:
    read = reads.next_read()
    try:
        current = gateway.subscription(stripe_subscription_id)
    except StripeMissing:
        logger.warning("stripe_subscription_unknown", subscription=stripe_subscription_id)
        return None
    found = _find(current, paid_invoice, read)
    row = _write(found) if found is not None else None
    return (current, row) if row is not None else None


def _duplicates(row: UserSubscription) -> list[UserSubscription]:
    """The row itself when it is one, or those that had to make room for it."""
    if row.duplicate_of_id is not None:
        return [row]
    others = UserSubscription.objects.select_related("plan", "user").filter(user_id=row.user_id, duplicate_of=row)
    return list(others.exclude(stripe_status="canceled"))


# --- Whose it is ----------------------------------------------------------------------------------------


def _find(current: StripeSubscription, paid: StripeInvoice | None, read: int) -> _Found | None:
    user = _person(current)
    plan = _plan_of(current.price_id)
    if user is not None and plan is None:
        plan = _plan_so_far(current)
    if current.latest_invoice is not None and current.latest_invoice.is_paid and paid is None:
        paid = current.latest_invoice
    if user is None or plan is None:
        if current.is_live and paid is not None:
            missing = "person" if user is None else "plan"
            alerts.raise_alert(
                kind=AlertKind.UNKNOWN_PAYER,
                cause=f"subscription:{current.id}:{missing}",
                words=f"Stripe takes money for subscription {current.id}, but we know no {missing} for it. "
                "Please look at it in Stripe's dashboard.",
                user=user,
            )
        return None
    next_plan = _plan_of(current.next_price_id) if current.next_price_id else None
    return _Found(current, user, plan, None if next_plan == plan else next_plan, paid, read)


def _person(current: StripeSubscription) -> User | None:
    """By our own row, by the customer's number, or by the Checkout that the customer went through."""
    row = UserSubscription.objects.select_related("user").filter(stripe_subscription_id=current.id).first()
    if row is not None:
        return row.user
    user = User.objects.filter(stripe_customer_id=current.customer_id).first()
    if user is not None:
        return user
    checkout = (
        Checkout.objects.select_related("user")
        .filter(pk=current.metadata.get("checkout", ""), stripe_customer_id=current.customer_id)
        .first()
    )
    return checkout.user if checkout is not None else None


def _plan_so_far(current: StripeSubscription) -> Plan | None:
    """The plan of the row, for a price that somebody made at Stripe by hand; staff are told once."""
    row = UserSubscription.objects.select_related("plan", "user").filter(stripe_subscription_id=current.id).first()
    if row is None:
        return None
    if current.is_live:
        alerts.raise_alert(
            kind=AlertKind.UNKNOWN_PAYER,
            cause=f"subscription:{current.id}:price:{current.price_id}",
            words=f"Subscription {current.id} has a price at Stripe that is none of our plans. "
            "The person keeps the plan they had. Please look at it in Stripe's dashboard.",
            user=row.user,
            subscription=row,
        )
    return row.plan


def _plan_of(stripe_price_id: str) -> Plan | None:
    price = PlanPrice.objects.select_related("plan").filter(stripe_price_id=stripe_price_id).first()
    return price.plan if price is not None else None


# --- Writing --------------------------------------------------------------------------------------------


@transaction.atomic
def _write(found: _Found) -> UserSubscription | None:
    current = found.current
    user = User.objects.select_for_update(no_key=True).get(pk=found.user.pk)
    row = (
        UserSubscription.objects.select_related("plan")
        .select_for_update(of=("self",), no_key=True)
        .filter(stripe_subscription_id=current.id)
        .first()
    )
    if row is not None and row.stripe_read >= found.read:
        return row
    status = _STATUS.get(current.status)
    if current.status == "canceled" and current.end_reason == "payment_failed":
        status = SubscriptionStatus.EXPIRED
    if status is None or (row is None and found.paid is None):
        return row
    is_new = row is None
    if row is None:
        row = UserSubscription(user=user, stripe_subscription_id=current.id, status=status)
        row.current_period_start = row.current_period_end = current.created_at
    row.user = user
    was_live = not is_new and row.status in _LIVE
    if (
        status in _LIVE and row.duplicate_of_id is None and not _has_right_of_way(row, current, user)
    ) or row.duplicate_of_id is not None:
        status = SubscriptionStatus.CANCELLED
    had_next = row.next_plan_id
    shrinks = not is_new and found.plan.family_size < row.plan.family_size
    _copy(row, found, status)
    row.save()
    row.session_booked_this_month = subscriptions.allowance(row).counted
    row.save(update_fields=["session_booked_this_month"])
    if row.duplicate_of_id is not None:
        return row
    if status in _LIVE:
        family.leave_for_own_plan(user=user)
        if shrinks:
            family.fit_to_plan(row)
        if row.next_plan_id is not None and row.next_plan_id != had_next:
            plan_mails.send_change_planned(row, schedule_id=current.schedule_id)
        plan_mails.send_cancelled(row)
    else:
        if was_live:
            subscription_ended.send(sender=UserSubscription, subscription=row)
        plan_mails.send_ended(row, reason=current.end_reason)
    return row


def _copy(row: UserSubscription, found: _Found, status: str) -> None:
    current = found.current
    row.plan = found.plan
    row.status = status
    row.stripe_status = current.status
    row.stripe_read = found.read
    row.stripe_created_at = current.created_at
    row.price_in_cents = current.price_cents
    row.ends_at = current.ends_at
    row.cancelled_at = current.cancelled_at
    row.ended_at = current.ended_at
    row.next_plan = found.next_plan if status in _LIVE else None
    _move_period(row, found)
    if status == SubscriptionStatus.PAST_DUE:
        unpaid = current.latest_invoice
        row.past_due_since = row.past_due_since or (unpaid.created_at if unpaid is not None else timezone.now())
    elif status == SubscriptionStatus.ACTIVE:
        row.past_due_since = row.grace_ended_at = None
    if status not in _LIVE:
        row.ended_at = row.ended_at or timezone.now()
        row.current_period_end = min(row.current_period_end, row.ended_at)
        row.current_period_start = min(row.current_period_start, row.current_period_end)


def _move_period(row: UserSubscription, found: _Found) -> None:
    """To the latest month that is paid for. Stripe begins a month before its invoice is paid; we do not."""
    current, paid = found.current, found.paid
    months: list[tuple[datetime, datetime]] = [(row.current_period_start, row.current_period_end)]
    latest = current.latest_invoice
    if current.status in ("active", "trialing") and (latest is None or latest.is_paid):
        months.append((current.period_start, current.period_end))
    if paid is not None and paid.period_start and paid.period_end:
        months.append((paid.period_start, paid.period_end))
    row.current_period_start, row.current_period_end = max(months, key=lambda month: month[1])


def _has_right_of_way(row: UserSubscription, current: StripeSubscription, user: User) -> bool:
    """One live plan per person. The elder stays; the younger one becomes its duplicate, whichever is seen first."""
    other = (
        UserSubscription.objects.live()
        .select_for_update(no_key=True)
        .filter(user=user)
        .exclude(pk=row.pk)
        .order_by("pk")
        .first()
    )
    if other is None:
        return True
    if (current.created_at, current.id) < (
        other.stripe_created_at or other.created_at,
        other.stripe_subscription_id or "",
    ):
        # Freed first, since the database holds one active row a person; ``take_over`` ties the knot afterwards.
        duplicates.step_back(other)
        row.status = SubscriptionStatus.ACTIVE
        row.plan = _plan_of(current.price_id) or other.plan
        row.save()
        duplicates.take_over(elder=row, younger=other)
        return True
    row.duplicate_of = other
    return False


# --- Money ----------------------------------------------------------------------------------------------


def _record(row: UserSubscription, invoice: StripeInvoice) -> Payment | None:
    if invoice.amount_paid_cents == 0:
        return None
    plan = _plan_of(invoice.price_id) or row.plan
    payment, is_new = payments.record(row, invoice, plan)
    if is_new and payment.kind == PaymentKind.PLAN_START:
        _give_back_to_leaver(row, payment)
    if row.status in _LIVE:
        # Queued once under its cause, so a run that died between the payment and its mail is made good.
        with transaction.atomic():
            old_plan = _plan_of(invoice.credited_price_id) if invoice.credited_price_id else None
            plan_mails.send_receipt(row, payment, invoice=invoice, plan=plan, old_plan=old_plan)
    return payment


def _give_back_to_leaver(row: UserSubscription, payment: Payment) -> None:
    """Somebody who had asked to be forgotten, and paid all the same, gets the money back."""
    user = User.objects.get(pk=row.user_id)
    since = user.deletion_asked_at or user.deleted_at
    if since is None or payment.paid_at < since or row.duplicate_of_id is not None:
        return
    with transaction.atomic():
        refunds.ask(payment=payment, amount_cents=payment.left_cents, reason="Paid while the account was closing.")


def _tell_of_failure(row: UserSubscription, invoice: StripeInvoice) -> None:
    if invoice.status != "open" or invoice.attempt_count == 0 or row.status != SubscriptionStatus.PAST_DUE:
        return
    with transaction.atomic():
        plan_mails.send_payment_failed(row, invoice=invoice)
