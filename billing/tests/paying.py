"""What the tests of Checkout do and look at again and again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from billing import gateway
from billing.gateway.client import call
from billing.models import (
    Checkout,
    Plan,
)
from billing.services import checkout
from sandbox.stripe import StandIn


def begin(user: User, plan: Plan) -> str:
    return checkout.begin_plan(user=user, plan=plan)


def customers() -> list[Any]:
    found: list[Any] = call(lambda v1: v1.customers.list({}))["data"]
    return found


def sessions(status: str = "") -> list[gateway.StripeSession]:
    found = call(lambda v1: v1.checkout.sessions.list({}))["data"]
    return [gateway.StripeSession.read(one) for one in found if not status or one["status"] == status]


def only_session() -> gateway.StripeSession:
    (found,) = sessions()
    return found


def paid_session(stripe: StandIn, user: User, plan: Plan) -> str:
    begin(user, plan)
    session = only_session()
    assert stripe.pay(session.id).ok
    return session.id


def overdue() -> None:
    Checkout.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
