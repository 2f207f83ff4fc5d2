"""What this app does when something happens below it, or within it."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from accounts.models import User
from accounts.signals import deletion_asked, user_deactivated
from billing.models import UserSubscription
from billing.services import family, leaving, plan_mails
from billing.signals import subscription_ended


@receiver(subscription_ended, dispatch_uid="billing.sharing_ended")
def sharing_ended(sender: Any, subscription: UserSubscription, **_: Any) -> None:
    family.end_for(subscription)


@receiver(subscription_ended, dispatch_uid="billing.given_plan_ended")
def given_plan_ended(sender: Any, subscription: UserSubscription, **_: Any) -> None:
    """Of a bought plan's end the look at Stripe tells, with the reason."""
    if subscription.is_granted:
        plan_mails.send_ended(subscription)


@receiver(user_deactivated, dispatch_uid="billing.person_left")
def person_left(sender: Any, user: User, **_: Any) -> None:
    family.forget_person(user)
    leaving.end_plans_of(user)


@receiver(deletion_asked, dispatch_uid="billing.person_leaves")
def person_leaves(sender: Any, user: User, **_: Any) -> bool:
    """True: Stripe has to be asked first, and billing finishes the deletion."""
    return leaving.begin(user)
