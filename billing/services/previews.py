"""What a change of plan costs and when it comes, shown before it is made.

The sums are Stripe's. What was shown goes along with the press as a signed note, so that the press can only make what
was shown, for half an hour.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime

from django.core import signing
from django.utils import timezone

from accounts.models import User
from billing import gateway
from billing.exceptions import (
    AlreadyOnPlan,
    NoActivePlan,
    NotBoughtHere,
    PaymentOwed,
    PlanNotOffered,
    PlanOnHold,
    PlanStops,
    PreviewTooOld,
)
from billing.gateway import StripeSubscription
from billing.models import Plan, PlanPrice, UserSubscription
from billing.services import catalogue
from settings_app.services import zone_for
from techdeputies.lib.times import month_day

TOKEN_SECONDS = 30 * 60
SALT = "billing.change"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of plan as it is shown before it is made. ``token`` goes with the press that makes it."""

    from_plan: Plan
    to_plan: Plan
    is_upgrade: bool
    due_now_cents: int
    credited_cents: int
    charged_cents: int
    acts_at: datetime
    new_price_cents: int
    next_payment_cents: int
    next_payment_at: datetime
    priced_at: datetime
    token: str


@dataclass(frozen=True, slots=True)
class Note:
    """What the token says: the plan's row, both prices, the moments, and what was to be paid."""

    subscription: int
    from_price: str
    price: str
    priced_at: int
    acts_at: int
    due_now: int

    def signed(self) -> str:
        return signing.dumps(astuple(self), salt=SALT)

    @classmethod
    def read(cls, token: str) -> Note:
        """Raises PreviewTooOld for one that is too old or not ours."""
        try:
            return cls(*signing.loads(token, salt=SALT, max_age=TOKEN_SECONDS))
        except (signing.BadSignature, TypeError):
            raise PreviewTooOld from None


def preview(*, user: User, plan: Plan) -> Change:
    """What moving to this plan costs and when. A dearer plan at once, with the days that are left counted; any other
    when the paid month is over.

    Raises NoActivePlan, NotBoughtHere, AlreadyOnPlan, PlanNotOffered, PaymentOwed, PlanStops, PlanOnHold,
    StripeUnavailable or StripeRefused.
    """
    row = own(user)
    check_offered(plan)
    price = catalogue.current_price(plan)
    current = gateway.subscription(str(row.stripe_subscription_id))
    check_may_change(row, current, price)
    from_plan = plan_of(current.price_id) or row.plan
    is_upgrade = price.price_in_cents > current.price_cents
    now = timezone.now().replace(microsecond=0)
    # Stripe counts within the paid month only, and its clock may differ from ours.
    priced_at = min(max(now, current.period_start), current.period_end)
    acts_at = priced_at if is_upgrade else current.period_end
    due = credited = charged = 0
    if is_upgrade:
        sums = gateway.preview_change(current=current, price_id=price.stripe_price_id, priced_at=priced_at)
        due, credited, charged = sums.due_now_cents, sums.credited_cents, sums.charged_cents
    note = Note(
        subscription=row.pk,
        from_price=current.price_id,
        price=price.stripe_price_id,
        priced_at=int(priced_at.timestamp()),
        acts_at=int(acts_at.timestamp()),
        due_now=due,
    )
    return Change(
        from_plan=from_plan,
        to_plan=price.plan,
        is_upgrade=is_upgrade,
        due_now_cents=due,
        credited_cents=credited,
        charged_cents=charged,
        acts_at=acts_at,
        new_price_cents=price.price_in_cents,
        next_payment_cents=price.price_in_cents,
        next_payment_at=current.period_end,
        priced_at=priced_at,
        token=note.signed(),
    )


# --- Whose, and whether ---------------------------------------------------------------------------------


def own(user: User) -> UserSubscription:
    """The plan this person bought and still has; shared ones are their owner's to change."""
    row = UserSubscription.objects.live().select_related("plan").filter(user=user).order_by("-pk").first()
    if row is None:
        raise NoActivePlan
    if row.is_granted:
        raise NotBoughtHere
    return row


def check_offered(plan: Plan) -> None:
    if not Plan.objects.filter(pk=plan.pk, is_offered=True).exists():
        raise PlanNotOffered


def check_may_change(row: UserSubscription, current: StripeSubscription, price: PlanPrice) -> None:
    if not current.is_live:
        raise NoActivePlan
    if row.frozen_at is not None:
        raise PlanOnHold
    if current.status not in ("active", "trialing"):
        raise PaymentOwed
    if current.ends_at is not None:
        raise PlanStops
    present = plan_of(current.price_id)
    if current.price_id == price.stripe_price_id or (present is not None and present.pk == price.plan_id):
        raise AlreadyOnPlan
    if current.next_price_id == price.stripe_price_id:
        day = month_day(current.period_end, zone_for(row.user))
        raise AlreadyOnPlan(f"This change is planned already. It comes on {day}.")


def check_still_true(note: Note, current: StripeSubscription, *, is_upgrade: bool) -> None:
    """Another tab may have changed the plan, or a month passed into the next, since the sums were shown."""
    start, end = int(current.period_start.timestamp()), int(current.period_end.timestamp())
    is_in_time = start <= note.priced_at <= end if is_upgrade else note.acts_at == end
    if note.from_price != current.price_id or not is_in_time:
        raise PreviewTooOld


def plan_of(stripe_price_id: str) -> Plan | None:
    price = PlanPrice.objects.select_related("plan").filter(stripe_price_id=stripe_price_id).first()
    return price.plan if price is not None else None
