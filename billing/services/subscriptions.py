"""Who has a plan, and the sessions taken from it.

The allowance is counted from the rows of ``visit_uses`` under the plan's lock, never stepped.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from audit.actors import Actor
from audit.services import record_admin_action
from billing.exceptions import (
    NoActivePlan,
    PlanAlreadyActive,
    PlanAlreadyEnded,
    PlanFrozen,
    PlanPaused,
    VisitsUsedUp,
)
from billing.models import FamilyMember, Plan, SubscriptionStatus, UserSubscription, VisitUse
from billing.signals import subscription_ended
from settings_app.services import value, zone_for
from techdeputies.lib import rows
from techdeputies.lib.exceptions import DomainError
from techdeputies.lib.times import month_day


class Allowance(NamedTuple):
    """Sessions of one period: ``used`` stand in it, ``credited`` came back to it from earlier ones."""

    used: int
    credited: int

    @property
    def counted(self) -> int:
        """What the period has cost so far; never below zero."""
        return max(0, self.used - self.credited)

    def left(self, plan: Plan) -> int:
        return max(0, plan.session_limit - self.used + self.credited)


def lock(subscription_id: int) -> UserSubscription:
    """The plan's row, locked until the transaction ends. The first lock of every booking path."""
    return (
        UserSubscription.objects.select_related("plan")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=subscription_id)
    )


NOTICE_MAY_BE_LATE = timedelta(hours=24)
"""A plan that renews goes on for so long after its month: the word that the next one is paid may come late."""

OVER = "Your plan has ended. You can choose a new one, or call us and we will do it with you."


# --- What a plan gives ----------------------------------------------------------------------------------


def is_over(subscription: UserSubscription) -> bool:
    """Is its paid time past? A failed payment is another matter: see ``grace_until``."""
    if subscription.status == SubscriptionStatus.PAST_DUE:
        return False
    end = subscription.current_period_end
    if not subscription.is_granted and subscription.ends_at is None:
        end += NOTICE_MAY_BE_LATE
    return end <= timezone.now()


def grace_until(subscription: UserSubscription) -> datetime | None:
    """Until when a plan with a failed payment gives courses and help; None when it has none, or no longer."""
    if subscription.status != SubscriptionStatus.PAST_DUE or subscription.grace_ended_at is not None:
        return None
    if subscription.stripe_status == "unpaid":
        return None
    until = grace_end(subscription)
    return until if until > timezone.now() else None


def grace_end(subscription: UserSubscription) -> datetime:
    """When the days of grace of a plan with a failed payment are over, or were."""
    since: datetime = subscription.past_due_since or subscription.current_period_end
    return since + timedelta(days=value("payment_grace_days"))


def gives_courses_and_help(subscription: UserSubscription) -> bool:
    """Courses and the help desk go on in the days of grace; a disputed payment stops everything."""
    if subscription.frozen_at is not None:
        return False
    if subscription.status == SubscriptionStatus.PAST_DUE:
        return grace_until(subscription) is not None
    return not is_over(subscription)


def why_waiting(subscription: UserSubscription, user: User) -> DomainError | None:
    """Why no session can be booked with a plan that is not over, leaving its count aside; None when one can."""
    is_shared = subscription.user_id != user.pk
    if subscription.frozen_at is not None:
        return PlanFrozen(PlanFrozen.shared) if is_shared else PlanFrozen()
    if subscription.status == SubscriptionStatus.PAST_DUE:
        return PlanPaused(PlanPaused.shared) if is_shared else PlanPaused()
    return None


# --- Finding it -----------------------------------------------------------------------------------------


# A plan of one's own, or the one that is shared: one's own wins, should a moment hold both.
_LIVE = f"""
SELECT {rows.columns(UserSubscription, "s")}, {rows.columns(Plan, "p")}
  FROM user_subscriptions s JOIN plans p ON p.id = s.plan_id
 WHERE s.status IN ('active', 'past_due')
   AND (s.user_id = %(user)s
        OR s.id = (SELECT subscription_id FROM family_members WHERE user_id = %(user)s AND ended_at IS NULL))
 ORDER BY s.user_id = %(user)s DESC, s.id DESC
 LIMIT 1
"""


def live(user: User, *, locked: bool = False) -> UserSubscription | None:
    """The live plan of the person, own or shared, with its ``plan``, over or not; None without. One statement.

    Whose it is says ``user_id``. Locked, a shared plan may have been left while the lock was waited for: whoever
    takes something from it asks again in a later statement, as ``use_visit`` does.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LIVE + "FOR NO KEY UPDATE OF s" if locked else _LIVE, {"user": user.pk})
        row = cursor.fetchone()
    if row is None:
        return None
    subscription = rows.instance(UserSubscription, row[: rows.width(UserSubscription)])
    subscription.plan = rows.instance(Plan, row[rows.width(UserSubscription) :])
    return subscription


def lock_live(user: User) -> UserSubscription:
    """The person's live plan, own or shared, locked. Raises NoActivePlan when there is none or its time is over."""
    subscription = live(user, locked=True)
    if subscription is None:
        raise NoActivePlan
    if is_over(subscription):
        raise NoActivePlan(OVER)
    return subscription


ALLOWANCE = """
SELECT count(*) FILTER (WHERE period_start = %(start)s AND returned_at IS NULL),
       count(*) FILTER (WHERE credited_period_start = %(start)s AND period_start <> %(start)s)
  FROM visit_uses
 WHERE subscription_id = %(subscription)s AND (period_start = %(start)s OR credited_period_start = %(start)s)
"""


def allowance(subscription: UserSubscription) -> Allowance:
    """Sessions used from, and credited to, the present period. Trustworthy only under the plan's lock."""
    with connection.cursor() as cursor:
        cursor.execute(ALLOWANCE, {"subscription": subscription.pk, "start": subscription.current_period_start})
        return Allowance(*cursor.fetchone())


# One statement: the plan's count and the row it counts, under the lock that the count is trusted by. Who shares
# a plan is asked for here once more, after the lock; see ``live``.
_MAY_USE = """
 %(is_owner)s OR EXISTS (SELECT FROM family_members
                          WHERE user_id = %(user)s AND subscription_id = %(subscription)s AND ended_at IS NULL)
"""
_USE = f"""
WITH counted AS (
    UPDATE user_subscriptions SET session_booked_this_month = %(counted)s, updated_at = %(used_at)s
     WHERE id = %(subscription)s AND ({_MAY_USE})
)
INSERT INTO visit_uses (subscription_id, user_id, cause, period_start, used_at)
SELECT %(subscription)s, %(user)s, %(cause)s, %(period_start)s, %(used_at)s
 WHERE {_MAY_USE}
RETURNING id
"""


def use_visit(*, user: User, cause: str) -> VisitUse:
    """Take one session from the person's plan, own or shared; the plan stays locked until the transaction ends.

    ``cause`` is unique for ever: booking id and revision. Raises NoActivePlan, PlanPaused, PlanFrozen or
    VisitsUsedUp.
    """
    subscription = lock_live(user)
    if waits := why_waiting(subscription, user):
        raise waits
    counts = allowance(subscription)
    if not subscription.plan.is_unlimited and counts.left(subscription.plan) == 0:
        raise VisitsUsedUp(used_up_words(subscription, user))
    use = VisitUse(subscription=subscription, user=user, cause=cause, period_start=subscription.current_period_start)
    values: dict[str, Any] = {
        "subscription": subscription.pk,
        "user": user.pk,
        "is_owner": subscription.user_id == user.pk,
        "cause": cause,
        "period_start": use.period_start,
        "used_at": use.used_at,
        "counted": counts._replace(used=counts.used + 1).counted,
    }
    with connection.cursor() as cursor:
        cursor.execute(_USE, values)
        row = cursor.fetchone()
    if row is None:
        raise NoActivePlan
    use.pk = row[0]
    use._state.adding, use._state.db = False, connection.alias
    return use


def return_visit(*, use: VisitUse) -> None:
    """Give the session back; a second call changes nothing.

    Returned after a renewal, it is credited to the period that runs now.
    """
    subscription = lock(use.subscription_id)
    start = subscription.current_period_start
    returned = VisitUse.objects.filter(pk=use.pk, returned_at__isnull=True).update(
        returned_at=timezone.now(),
        credited_period_start=None if use.period_start == start else start,
    )
    if returned:
        _store_count(subscription, allowance(subscription))


@transaction.atomic
def grant_plan(
    *, user: User, plan: Plan, actor: Actor, reason: str, ends_at: datetime | None = None
) -> UserSubscription:
    """Give a person a plan without payment, until ``ends_at`` or for a month.

    Raises PlanAlreadyActive while another plan is live, own or shared.
    """
    # The person's row is the lock: two grants at once must not both see "no plan".
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if UserSubscription.objects.live().filter(user=user).exists():
        raise PlanAlreadyActive
    if FamilyMember.objects.current().filter(user=user).exists():
        raise PlanAlreadyActive(PlanAlreadyActive.shared)
    now = timezone.now()
    subscription = UserSubscription.objects.create(
        user=user,
        plan=plan,
        current_period_start=now,
        current_period_end=ends_at or a_month_after(now),
        granted_by=actor.user,
        grant_reason=reason,
    )
    record_admin_action(actor=actor, action="plan_granted", target=user, details={"plan": plan.name})
    return subscription


@transaction.atomic
def end_plan(*, subscription: UserSubscription, actor: Actor, reason: str) -> UserSubscription:
    """End a plan that staff gave, now. Raises PlanAlreadyEnded."""
    subscription = lock(subscription.pk)
    if subscription.status not in (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE):
        raise PlanAlreadyEnded
    now = timezone.now()
    subscription.status = SubscriptionStatus.CANCELLED
    subscription.cancelled_at = now
    subscription.ended_at = now
    subscription.current_period_end = min(subscription.current_period_end, now)
    subscription.save(update_fields=["status", "cancelled_at", "ended_at", "current_period_end", "updated_at"])
    record_admin_action(
        actor=actor, action="plan_ended", target=subscription.user, details={"reason_given": bool(reason)}
    )
    subscription_ended.send(sender=UserSubscription, subscription=subscription)
    return subscription


def end_lapsed_plans() -> int:
    """Mark plans that staff gave and whose time is over as ended; the number of them.

    Plans with a Stripe subscription are left alone: Stripe says when those end.
    """
    lapsed = UserSubscription.objects.filter(
        stripe_subscription_id__isnull=True,
        current_period_end__lte=timezone.now(),
        status=SubscriptionStatus.ACTIVE,
    )
    ended = 0
    for subscription_id in list(lapsed.order_by("pk").values_list("pk", flat=True)[:500]):
        with transaction.atomic():
            subscription = lock(subscription_id)
            if subscription.status != SubscriptionStatus.ACTIVE or subscription.current_period_end > timezone.now():
                continue
            subscription.status = SubscriptionStatus.EXPIRED
            subscription.ended_at = subscription.current_period_end
            subscription.save(update_fields=["status", "ended_at", "updated_at"])
            subscription_ended.send(sender=UserSubscription, subscription=subscription)
            ended += 1
    return ended


def used_up_words(subscription: UserSubscription, user: User) -> str:
    """ "You have used your 5 sessions for this month. The next ones come on December 14." """
    count = subscription.plan.session_limit
    sessions = "1 session" if count == 1 else f"{count} sessions"
    used = f"You have used your {sessions} for this month."
    if subscription.user_id != user.pk:
        used = f"The plan you share has used its {sessions} for this month."
    end = subscription.current_period_end
    if end <= timezone.now():
        return f"{used} The next ones come as soon as the new month is paid. You can also call us."
    return f"{used} The next ones come on {month_day(end, zone_for(user))}. You can also call us."


def a_month_after(moment: datetime) -> datetime:
    """The same day next month, or its last day where that month is shorter."""
    year, month = divmod(moment.month, 12)
    year, month = moment.year + year, month + 1
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))


def _store_count(subscription: UserSubscription, counts: Allowance) -> None:
    UserSubscription.objects.filter(pk=subscription.pk).update(
        session_booked_this_month=counts.counted, updated_at=timezone.now()
    )
