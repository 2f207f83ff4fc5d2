"""People at every stage of a plan, and a look at a page as a person reads it."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from billing.models import Payment, PaymentKind, Plan, SubscriptionStatus, UserSubscription
from billing.tests.factories import make_plan, make_subscription

_numbers = count(1)


def make_plans() -> dict[str, Plan]:
    """Basic, Standard and Premium, as they are sold."""
    return {
        "basic": make_plan(
            name="basic", display_name="Basic", price_in_cents=4900, tier="basic", session_limit=2,
            course_inclusion="none", family_size=1, support_tier="email",
        ),
        "standard": make_plan(name="standard", display_name="Standard", featured=True),
        "premium": make_plan(
            name="premium", display_name="Premium", price_in_cents=19900, tier="premium", session_limit=0,
            course_inclusion="full", family_size=5, support_tier="premium",
        ),
    }  # fmt: skip


def make_bought(user: User | None = None, plan: Plan | None = None, **fields: Any) -> UserSubscription:
    """A plan paid by card, ten days into its month."""
    owner = user or make_user()
    plan = plan or make_plan()
    if not owner.stripe_customer_id:
        owner.stripe_customer_id = f"cus_{owner.pk}"
        owner.save(update_fields=["stripe_customer_id"])
    defaults = {
        "stripe_subscription_id": f"sub_{next(_numbers)}",
        "stripe_status": "active",
        "price_in_cents": plan.price_in_cents,
    }
    return make_subscription(user=owner, plan=plan, **defaults | fields)


def in_state(state: str, plan: Plan | None = None) -> UserSubscription:
    """A bought plan in a state that pages tell apart."""
    now = timezone.now()
    failed = {"status": SubscriptionStatus.PAST_DUE, "stripe_status": "past_due"}
    fields: dict[str, dict[str, Any]] = {
        "active": {},
        "ending": {"ends_at": now + timedelta(days=20), "cancelled_at": now},
        "past due": {**failed, "past_due_since": now - timedelta(days=1), "current_period_end": now},
        "lapsed": {
            **failed,
            "past_due_since": now - timedelta(days=9),
            "grace_ended_at": now - timedelta(days=2),
            "current_period_end": now - timedelta(days=9),
        },
        "frozen": {"frozen_at": now},
        "moving": {"next_plan": make_plan(display_name="Small", price_in_cents=2900)},
    }
    return make_bought(plan=plan, **fields[state])


def make_payment(subscription: UserSubscription, **fields: Any) -> Payment:
    number = next(_numbers)
    defaults = {
        "cause": f"invoice:in_{number}",
        "kind": PaymentKind.PLAN_START,
        "user": subscription.user,
        "subscription": subscription,
        "what": f"{subscription.plan.display_name} plan, November 14 to December 14",
        "amount_cents": 9900,
        "paid_at": timezone.now() - timedelta(days=10),
        "paid_with": "Visa card ending in 4242",
        "stripe_invoice_id": f"in_{number}",
        "stripe_payment_intent_id": f"pi_{number}",
    }
    return Payment.objects.create(**defaults | fields)


def signed_in(user: User | None) -> Client:
    assert user is not None
    client = Client()
    client.force_login(user)
    return client


def leads_to(response: Any) -> str:
    """Where a redirect goes."""
    assert response.status_code == 302, response.status_code
    return str(response["Location"])
