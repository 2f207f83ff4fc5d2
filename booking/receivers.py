"""What this app does when something ends below it."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from accounts.models import User
from accounts.signals import user_deactivated
from billing.models import FamilyMember, UserSubscription
from billing.signals import family_member_left, plan_lapsed, subscription_ended
from booking import services


@receiver(subscription_ended, dispatch_uid="booking.plan_ended")
def plan_ended(sender: Any, subscription: UserSubscription, **_: Any) -> None:
    services.cancel_visits_of_plan(subscription)


@receiver(plan_lapsed, dispatch_uid="booking.plan_not_paid")
def plan_not_paid(sender: Any, subscription: UserSubscription, **_: Any) -> None:
    services.cancel_visits_of_plan(subscription, reason=services.PLAN_NOT_PAID)


@receiver(family_member_left, dispatch_uid="booking.family_member_left")
def member_left(sender: Any, member: FamilyMember, **_: Any) -> None:
    services.cancel_visits_of_member(member)


@receiver(user_deactivated, dispatch_uid="booking.person_left")
def person_left(sender: Any, user: User, **_: Any) -> None:
    services.cancel_visits_of_person(user)
