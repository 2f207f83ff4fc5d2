"""Buying a plan at the stand-in, without our own pages: what the tests of syncing start from."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from accounts.models import User
from billing import gateway
from billing.models import Plan, PlanPrice
from billing.services import catalogue
from sandbox.stripe import StandIn

GOOD_CARD = "4242424242424242"
FAILS_LATER_CARD = "4000000000000341"


def offer(plan: Plan) -> PlanPrice:
    """The plan's price at Stripe, made where it is missing."""
    return catalogue.current_price(plan)


def open_session(user: User, plan: Plan) -> str:
    """The id of an open Checkout Session for this person and plan."""
    if not user.stripe_customer_id:
        user.stripe_customer_id = gateway.create_customer(
            email=user.email, name=user.name or "", user_id=user.pk, key=f"test:{uuid4()}"
        )
        user.save(update_fields=["stripe_customer_id"])
    session = gateway.create_plan_session(
        checkout_id="test",
        customer_id=user.stripe_customer_id,
        user_id=user.pk,
        price_id=offer(plan).stripe_price_id,
        plan_name=plan.name,
        expires_at=timezone.now() + timedelta(minutes=35),
        success_url="http://testserver/billing/return/?session_id={CHECKOUT_SESSION_ID}",
        cancel_url="http://testserver/subscriptions/",
        key=f"test:{uuid4()}",
    )
    return session.id


def buy(stripe: StandIn, user: User, plan: Plan, *, card: str = GOOD_CARD) -> str:
    """The person pays for the plan; the id of the subscription. Nothing is told to us."""
    session_id = open_session(user, plan)
    stripe.pay(session_id, card=card)
    return gateway.session(session_id).subscription_id
