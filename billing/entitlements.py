"""The one answer to "what may this person do now"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from accounts.models import User
from billing.exceptions import NoActivePlan, PlanPaused
from billing.models import SubscriptionStatus
from billing.services import subscriptions


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A person's plan as it stands. Counts are sessions of the present period.

    ``why_not`` is empty, or one sentence saying why no session can be booked now.
    """

    plan_name: str = ""
    status: str = ""
    is_unlimited: bool = False
    visit_limit: int = 0
    visits_used: int = 0
    visits_left: int = 0
    period_end: datetime | None = None
    why_not: str = ""

    @property
    def has_plan(self) -> bool:
        return bool(self.plan_name)

    @property
    def can_book(self) -> bool:
        return not self.why_not


def for_user(user: User) -> Entitlement:
    """What ``user`` may do now. Two statements; a look, not a promise: booking asks again under the lock."""
    subscription = subscriptions.live(user)
    if subscription is None or subscription.current_period_end <= timezone.now():
        return Entitlement(why_not=NoActivePlan.message)
    plan = subscription.plan
    counts = subscriptions.allowance(subscription)
    left = counts.left(plan)
    why_not = ""
    if subscription.status == SubscriptionStatus.PAST_DUE:
        why_not = PlanPaused.message
    elif not plan.is_unlimited and left == 0:
        why_not = subscriptions.used_up_words(plan, subscription.current_period_end, user)
    return Entitlement(
        plan_name=plan.display_name,
        status=subscription.status,
        is_unlimited=plan.is_unlimited,
        visit_limit=plan.session_limit,
        visits_used=counts.counted,
        visits_left=left,
        period_end=subscription.current_period_end,
        why_not=why_not,
    )
