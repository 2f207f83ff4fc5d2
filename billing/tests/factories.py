"""The least a plan, and a person with one, need."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from billing.models import CourseInclusion, FamilyMember, Plan, PlanTier, SupportTier, UserSubscription

_numbers = count(1)


def make_plan(**fields: Any) -> Plan:
    """A plan of 5 sessions a month, unless told otherwise."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "name": f"plan-{number}",
        "display_name": "Standard",
        "price_in_cents": 9900,
        "tier": PlanTier.STANDARD,
        "session_limit": 5,
        "course_inclusion": CourseInclusion.PARTIAL,
        "family_size": 2,
        "support_tier": SupportTier.PRIORITY,
    }
    return Plan.objects.create(**defaults | fields)


def make_subscription(user: User | None = None, plan: Plan | None = None, **fields: Any) -> UserSubscription:
    """An active plan, ten days into a period of thirty."""
    now = timezone.now()
    defaults: dict[str, Any] = {
        "user": user or make_user(),
        "plan": plan or make_plan(),
        "current_period_start": now - timedelta(days=10),
        "current_period_end": now + timedelta(days=20),
    }
    return UserSubscription.objects.create(**defaults | fields)


def make_subscriber(plan: Plan | None = None, **fields: Any) -> User:
    """A verified person with an active plan; ``fields`` are the person's."""
    user = make_user(**fields)
    make_subscription(user=user, plan=plan)
    return user


def make_member(subscription: UserSubscription, user: User | None = None, **fields: Any) -> FamilyMember:
    """Somebody who shares the plan."""
    return FamilyMember.objects.create(subscription=subscription, user=user or make_user(name="Henry Ellis"), **fields)
