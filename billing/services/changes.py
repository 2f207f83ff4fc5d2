"""Changing, stopping and keeping a plan that was bought.

A press carries the note of what was shown (``previews``) and makes a row whose id is the key at Stripe: a second press,
or one after a crash, is the same change. Whatever is decided here is decided by what Stripe says of the plan now; our
row only tells which one it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing import gateway
from billing.exceptions import (
    CardDeclined,
    NoActivePlan,
    NotBoughtHere,
    NothingToKeep,
    OutcomeUnknown,
    PreviewTooOld,
    StripeMissing,
    StripeRefused,
    StripeUnavailable,
)
from billing.gateway import StripeSubscription
from billing.models import ChangeState, Plan, PlanChange, PlanPrice, UserSubscription
from billing.services import catalogue, syncing
from billing.services.catalogue import PORTAL
from billing.services.previews import (
    TOKEN_SECONDS,
    Change,
    Note,
    check_may_change,
    check_offered,
    check_still_true,
    own,
    preview,
)
from settings_app.services import value

logger = structlog.get_logger(__name__)

__all__ = ["Change", "cancel", "change", "close_wishes", "forget_change", "keep", "portal", "preview"]

CARD_FLOW = "payment_method_update"


def change(*, user: User, plan: Plan, token: str) -> PlanChange:
    """Make the change that was shown; a second press of the same one changes nothing.

    Raises PreviewTooOld when what was shown is not true any more, CardDeclined when the bank refuses (and then all is
    as before), OutcomeUnknown when the answer got lost (a repeat of the press goes on), and what ``preview`` raises.
    """
    note = Note.read(token)
    wish, is_new = _write_wish(user, plan, note)
    if wish.state == ChangeState.DONE:
        return wish
    try:
        invoice_id = _carry_out(wish, note)
    except StripeUnavailable as error:
        # An earlier press may have been carried out: only the first one knows that nothing was taken.
        if is_new and not isinstance(error, OutcomeUnknown):
            raise
        raise OutcomeUnknown from error
    wish.state = ChangeState.DONE
    wish.save(update_fields=["state"])
    try:
        _bring_up_to_date(wish.subscription, invoice_id)
    except StripeUnavailable:
        # It is made; Stripe's posts bring the rest.
        logger.warning("stripe_look_put_off", subscription=wish.subscription.stripe_subscription_id)
    return wish


def forget_change(*, user: User) -> UserSubscription:
    """Stay on the present plan instead of moving to the smaller one. Without such a plan nothing happens.

    Raises NoActivePlan, NotBoughtHere, StripeUnavailable or OutcomeUnknown, as ``cancel`` and ``keep`` do.
    """
    row = own(user)
    current = gateway.subscription(str(row.stripe_subscription_id))
    with _unsure():
        _release(current)
        return _bring_up_to_date(row)


def cancel(*, user: User) -> UserSubscription:
    """Stop the plan when the paid month is over; a change that was planned is forgotten. Once is enough.

    A plan with a failed payment stops at once: the month it owes for was never given, so Stripe must not go on
    trying to collect it.
    """
    row = own(user)
    current = gateway.subscription(str(row.stripe_subscription_id))
    with _unsure():
        if current.is_live and current.ends_at is None:
            _release(current)
            if current.status in ("past_due", "unpaid"):
                syncing.cancel_now(current.id)
            else:
                gateway.cancel_at_period_end(current.id)
        return _bring_up_to_date(row)


def keep(*, user: User) -> UserSubscription:
    """Take a cancellation back. Raises NothingToKeep when none is set, NoActivePlan when the plan is over."""
    row = own(user)
    current = gateway.subscription(str(row.stripe_subscription_id))
    with _unsure():
        if current.is_live and current.ends_at is not None:
            gateway.keep(current)
        row = _bring_up_to_date(row)
    if not current.is_live:
        raise NoActivePlan
    if current.ends_at is None:
        raise NothingToKeep
    return row


def close_wishes() -> int:
    """Settle wishes whose answer got lost and which nobody can press again; how many.

    The plan shows what became of them.
    """
    old = PlanChange.objects.select_related("subscription").filter(
        state=ChangeState.ASKED, created_at__lt=timezone.now() - timedelta(seconds=2 * TOKEN_SECONDS)
    )
    closed = 0
    for wish in list(old.order_by("created_at")[:500]):
        is_made = wish.to_plan_id in (wish.subscription.plan_id, wish.subscription.next_plan_id)
        closed += PlanChange.objects.filter(pk=wish.pk, state=ChangeState.ASKED).update(
            state=ChangeState.DONE if is_made else ChangeState.REFUSED
        )
    return closed


def portal(*, user: User, flow: str = "") -> str:
    """A fresh address of Stripe's portal; ``payment_method_update`` opens the page for another card.

    Raises NotBoughtHere for somebody who never paid by card.
    """
    customer_id = User.objects.filter(pk=user.pk).values_list("stripe_customer_id", flat=True).get()
    if not customer_id:
        raise NotBoughtHere
    asked = {
        "customer_id": customer_id,
        "return_url": f"{settings.SITE_URL}{reverse('billing:my_plan')}",
        "flow": flow if flow == CARD_FLOW else "",
    }
    try:
        return gateway.portal_url(configuration_id=value(PORTAL) or catalogue.bring_portal()[0], **asked)
    except StripeMissing:
        if not gateway.customer_exists(customer_id):
            raise NotBoughtHere from None
        # The configuration is another account's, as after a change of keys.
        return gateway.portal_url(configuration_id=catalogue.bring_portal()[0], **asked)


# --- The wish -------------------------------------------------------------------------------------------


@transaction.atomic
def _write_wish(user: User, plan: Plan, note: Note) -> tuple[PlanChange, bool]:
    """The row of this wish, and whether it is pressed for the first time."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    row = own(user)
    check_offered(plan)
    if row.pk != note.subscription or not PlanPrice.objects.filter(stripe_price_id=note.price, plan=plan).exists():
        raise PreviewTooOld
    wish, is_new = PlanChange.objects.select_related("subscription__user", "from_plan", "to_plan").get_or_create(
        subscription=row,
        to_plan=plan,
        priced_at=datetime.fromtimestamp(note.priced_at, UTC),
        defaults={
            "from_plan": row.plan,
            "stripe_price_id": note.price,
            "due_now_cents": note.due_now,
            "acts_at": datetime.fromtimestamp(note.acts_at, UTC),
        },
    )
    if wish.state == ChangeState.REFUSED:
        # Stripe would only repeat its refusal under this key.
        raise PreviewTooOld
    return wish, is_new


def _carry_out(wish: PlanChange, note: Note) -> str:
    """Make the change at Stripe, unless it is made; the id of the invoice that came of it, if one did."""
    current = gateway.subscription(str(wish.subscription.stripe_subscription_id))
    if current.price_id == wish.stripe_price_id:
        return current.latest_invoice.id if current.latest_invoice is not None else ""
    if current.next_price_id == wish.stripe_price_id:
        return ""
    price = catalogue.current_price(wish.to_plan)
    if price.stripe_price_id != wish.stripe_price_id:
        raise PreviewTooOld
    check_may_change(wish.subscription, current, price)
    is_upgrade = price.price_in_cents > current.price_cents
    check_still_true(note, current, is_upgrade=is_upgrade)
    if is_upgrade:
        return _upgrade(wish, current)
    with _unsure():
        gateway.change_at_period_end(current=current, price_id=wish.stripe_price_id, key=_key(wish))
    return ""


def _upgrade(wish: PlanChange, current: StripeSubscription) -> str:
    _release(current)
    try:
        with _unsure():
            return gateway.change_now(
                current=current, price_id=wish.stripe_price_id, priced_at=wish.priced_at, key=_key(wish)
            )
    except (CardDeclined, StripeRefused):
        PlanChange.objects.filter(pk=wish.pk).update(state=ChangeState.REFUSED)
        _plan_again(wish, current)
        raise


def _plan_again(wish: PlanChange, before: StripeSubscription) -> None:
    """Bring back the smaller plan that was to come, since all is to be as before."""
    if not before.next_price_id:
        return
    try:
        gateway.change_at_period_end(
            current=replace(before, schedule_id=""), price_id=before.next_price_id, key=f"{_key(wish)}:back"
        )
    except (StripeUnavailable, StripeRefused):
        logger.exception("stripe_planned_change_lost", subscription=before.id)


def _key(wish: PlanChange) -> str:
    return f"change:{wish.pk}"


def _release(current: StripeSubscription) -> None:
    if not current.schedule_id:
        return
    try:
        gateway.release_schedule(current.schedule_id)
    except StripeRefused as refusal:
        logger.info("stripe_schedule_over", schedule=current.schedule_id, code=refusal.code)


@contextmanager
def _unsure() -> Iterator[None]:
    """Something is asked of Stripe here: without an answer nobody knows whether it was done."""
    try:
        yield
    except StripeUnavailable as error:
        raise OutcomeUnknown from error


def _bring_up_to_date(row: UserSubscription, invoice_id: str = "") -> UserSubscription:
    if invoice_id:
        syncing.sync_invoice(invoice_id)
    else:
        syncing.sync_subscription(str(row.stripe_subscription_id))
    row.refresh_from_db()
    return row
