"""What the tests of changing a plan do and look at again and again."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from billing import gateway
from billing.gateway.client import call
from billing.models import (
    Plan,
    PlanChange,
    UserSubscription,
)
from billing.services import changes, syncing
from billing.tests.buying import GOOD_CARD, buy
from sandbox.stripe import StandIn


def bought(stripe: StandIn, user: User, plan: Plan, card: str = GOOD_CARD) -> UserSubscription:
    number = buy(stripe, user, plan, card=card)
    invoice = gateway.subscription(number).latest_invoice
    assert invoice is not None
    syncing.sync_invoice(invoice.id)
    return UserSubscription.objects.get(stripe_subscription_id=number)


def at_stripe(row: UserSubscription) -> gateway.StripeSubscription:
    return gateway.subscription(str(row.stripe_subscription_id))


def invoices(row: UserSubscription) -> list[gateway.StripeInvoice]:
    return gateway.invoices_of(str(row.stripe_subscription_id))


def moved(user: User, plan: Plan) -> PlanChange:
    return changes.change(user=user, plan=plan, token=changes.preview(user=user, plan=plan).token)


def schedules() -> list[Any]:
    found: list[Any] = call(lambda v1: v1.subscription_schedules.list({}))["data"]
    return found


def user_customer(user: User) -> str | None:
    user.refresh_from_db()
    return user.stripe_customer_id
