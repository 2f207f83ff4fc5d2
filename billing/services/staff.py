"""What staff do with a person's plan where Stripe has a say in it."""

from __future__ import annotations

from audit.actors import Actor
from audit.services import record_admin_action
from billing.exceptions import NotBoughtHere, PlanAlreadyEnded
from billing.models import SubscriptionStatus, UserSubscription
from billing.services import subscriptions, syncing


def end_plan(*, subscription: UserSubscription, actor: Actor, reason: str) -> None:
    """End it now: a given plan here, a bought one at Stripe, which then says so.

    Raises PlanAlreadyEnded and StripeUnavailable.
    """
    number = subscription.stripe_subscription_id
    if number is None:
        subscriptions.end_plan(subscription=subscription, actor=actor, reason=reason)
        return
    if subscription.status not in (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE):
        raise PlanAlreadyEnded
    syncing.cancel_now(number)
    record_admin_action(
        actor=actor, action="plan_ended", target=subscription.user, details={"reason_given": bool(reason)}
    )
    # Should this look fail, the event of the end brings it: it is done at Stripe.
    syncing.sync_subscription(number)


def ask_again(*, subscription: UserSubscription, actor: Actor) -> None:
    """Bring the row to what Stripe says. Raises NotBoughtHere for a given plan, and StripeUnavailable."""
    if subscription.stripe_subscription_id is None:
        raise NotBoughtHere
    syncing.sync_subscription(subscription.stripe_subscription_id)
    record_admin_action(actor=actor, action="plan_asked_about", target=subscription)
