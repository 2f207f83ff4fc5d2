"""The one answer to "what may this person do now"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.models import User
from billing.exceptions import NoActivePlan
from billing.models import CourseInclusion, SupportTier, UserSubscription
from billing.services import subscriptions
from billing.services.subscriptions import Allowance

NOT_HEARD_YET = "We have not heard yet whether your plan goes on. Please call us, and we will look."


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A person's plan as it stands, own or shared. Counts are sessions of the present period, of all who share it.

    ``why_not`` is empty, or one sentence saying why no session can be booked now. ``courses`` and ``support`` are
    what the plan gives at this moment: nothing while it is on hold, or once the days of grace are over.
    ``in_grace_until`` is set while a failed payment is waited for and the plan still gives those two.
    """

    plan_name: str = ""
    tier: str = ""
    status: str = ""
    is_unlimited: bool = False
    visit_limit: int = 0
    visits_used: int = 0
    visits_left: int = 0
    period_start: datetime | None = None
    period_end: datetime | None = None
    ends_at: datetime | None = None
    next_plan_name: str = ""
    courses: CourseInclusion = CourseInclusion.NONE
    support: SupportTier | None = None
    is_bought: bool = False
    is_shared: bool = False
    owner_first_name: str = ""
    in_grace_until: datetime | None = None
    is_frozen: bool = False
    why_not: str = ""

    @property
    def has_plan(self) -> bool:
        return bool(self.plan_name)

    @property
    def can_book(self) -> bool:
        return not self.why_not


def for_user(user: User) -> Entitlement:
    """What ``user`` may do now. Two statements; a look, not a promise: booking asks again under the lock."""
    return of(subscriptions.live(user), user)


def of(subscription: UserSubscription | None, user: User) -> Entitlement:
    """The same for a plan that was found already by ``subscriptions.live``. One statement."""
    if subscription is None or (subscriptions.is_over(subscription) and not _renews(subscription)):
        return Entitlement(why_not=NoActivePlan.message)
    plan = subscription.plan
    counts, owner_name, next_plan_name = _look(subscription)
    gives = subscriptions.gives_courses_and_help(subscription)
    is_shared = subscription.user_id != user.pk
    return Entitlement(
        plan_name=plan.display_name,
        tier=plan.tier,
        status=subscription.status,
        is_unlimited=plan.is_unlimited,
        visit_limit=plan.session_limit,
        visits_used=counts.counted,
        visits_left=counts.left(plan),
        period_start=subscription.current_period_start,
        period_end=subscription.current_period_end,
        ends_at=subscription.current_period_end if subscription.is_granted else subscription.ends_at,
        next_plan_name=next_plan_name or "",
        courses=CourseInclusion(plan.course_inclusion) if gives else CourseInclusion.NONE,
        support=SupportTier(plan.support_tier) if gives else None,
        is_bought=not subscription.is_granted,
        is_shared=is_shared,
        owner_first_name=User(name=owner_name).first_name_words if is_shared and owner_name else "",
        in_grace_until=subscriptions.grace_until(subscription) if gives else None,
        is_frozen=subscription.frozen_at is not None,
        why_not=_why_not(subscription, counts, user),
    )


def _renews(subscription: UserSubscription) -> bool:
    """Bought and not stopped: that its time is over only means that Stripe was not heard for a day."""
    return not subscription.is_granted and subscription.ends_at is None


def _why_not(subscription: UserSubscription, counts: Allowance, user: User) -> str:
    if subscriptions.is_over(subscription):
        return NOT_HEARD_YET
    if waits := subscriptions.why_waiting(subscription, user):
        return waits.message
    if not subscription.plan.is_unlimited and counts.left(subscription.plan) == 0:
        return subscriptions.used_up_words(subscription, user)
    return ""


_LOOK = f"""
SELECT counts.*,
       (SELECT name FROM users WHERE id = %(owner)s),
       (SELECT display_name FROM plans WHERE id = %(next_plan)s)
  FROM ({subscriptions.ALLOWANCE}) AS counts
"""


def _look(subscription: UserSubscription) -> tuple[Allowance, str | None, str | None]:
    """The sessions of the period, whose plan it is, and the plan that comes next."""
    values: dict[str, Any] = {
        "subscription": subscription.pk,
        "start": subscription.current_period_start,
        "owner": subscription.user_id,
        "next_plan": subscription.next_plan_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, values)
        used, credited, owner_name, next_plan_name = cursor.fetchone()
    return Allowance(used, credited), owner_name, next_plan_name
