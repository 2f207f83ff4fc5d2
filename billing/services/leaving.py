"""Somebody asked for their account to be deleted: first they stop paying, then accounts closes the account.

Stripe is asked outside any transaction. Whatever is cut off half-way is begun again by the clock, and each step
finds what is still left to do.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction

from accounts import services as accounts
from accounts.models import User
from audit.actors import Actor
from billing import gateway
from billing.exceptions import StripeMissing, StripeRefused, StripeUnavailable
from billing.models import Checkout, UserSubscription
from billing.services import checkout, subscriptions, syncing
from techdeputies.lib import waking

logger = structlog.get_logger(__name__)

TASK = "billing.tasks.stop_plans_of_leavers"
CLOCKS_DIFFER = timedelta(minutes=5)
ENDED = "It has ended. You do not pay anything more."


def begin(user: User) -> bool:
    """Has something to end at Stripe before this account may be closed? Then it is asked for after the commit.

    Whoever was ever a customer there is asked about: there may be more than our rows know.
    """
    if not user.stripe_customer_id and not _has_open_checkout(user) and not _bought(user):
        return False
    transaction.on_commit(partial(waking.ask_for, TASK), robust=True)
    return True


def stop_plans_of_leavers() -> int:
    """End what everybody who leaves still has at Stripe, and close their accounts; how many are closed now.

    While Stripe does not answer they stay as they are, and are told so once.
    """
    closed = 0
    for user in list(User.objects.leaving().order_by("deletion_asked_at", "pk")):
        try:
            closed += stop_plans_of(user)
        except (StripeUnavailable, StripeRefused) as error:
            logger.warning("deletion_waits_for_stripe", user_id=user.pk, error=type(error).__name__)
            accounts.note_deletion_delay(user=user)
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            # Whatever is wrong with one, the others must not pay on for it.
            logger.exception("deletion_stuck", user_id=user.pk)
    return closed


def stop_plans_of(user: User) -> bool:
    """End at Stripe whatever this person pays for or could still pay, then close the account; False when it waits.

    The wish may be taken back meanwhile: then the account stays, without the plan. Raises StripeUnavailable.
    """
    checkout.close_open(user=user)
    for number in sorted({*_bought(user), *_at_stripe(user)}):
        if not User.objects.leaving().filter(pk=user.pk).exists():
            return False
        syncing.cancel_now(number)
        syncing.sync_subscription(number)
    return _finish(user)


def end_plans_of(user: User) -> None:
    """The plans of a closed account that Stripe has no say in: given by staff, or unknown there. In the transaction
    that closed it."""
    for subscription in UserSubscription.objects.live().filter(user=user).order_by("pk"):
        subscriptions.end_plan(subscription=subscription, actor=Actor.system(), reason="The account was deleted.")


def _bought(user: User) -> list[str]:
    live = UserSubscription.objects.live().filter(user=user, stripe_subscription_id__isnull=False)
    return [str(number) for number in live.values_list("stripe_subscription_id", flat=True)]


def _at_stripe(user: User) -> list[str]:
    """What the customer has there, with our row or without."""
    customer_id = User.objects.values_list("stripe_customer_id", flat=True).get(pk=user.pk)
    if not customer_id:
        return []
    try:
        found = gateway.subscriptions_of(customer_id)
    except StripeMissing:
        return []
    return [current.id for current in found if current.may_be_paid]


def _has_open_checkout(user: User) -> bool:
    return Checkout.objects.open().filter(user=user).exists()


@transaction.atomic
def _finish(user: User) -> bool:
    """Under the person's lock, so that no Checkout is begun between the look and the end."""
    row = User.objects.select_for_update(no_key=True).leaving().filter(pk=user.pk).first()
    if row is None or row.deletion_asked_at is None or _has_open_checkout(row):
        return False
    # By now, not by this run: an earlier one may have been cut off after Stripe had ended the plan.
    since = row.deletion_asked_at - CLOCKS_DIFFER
    ended = UserSubscription.objects.filter(user=row, ended_at__gte=since).exists() or bool(_bought(row))
    return accounts.finish_deletion(user=row, plan_words=ENDED if ended else "") is not None
