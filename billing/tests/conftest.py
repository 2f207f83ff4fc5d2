"""A Stripe for each test: the stand-in, over HTTP, in memory, which posts nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from accounts.tests.factories import make_user
from billing.gateway import client
from billing.models import Plan, UserSubscription
from billing.tests.changing import bought
from billing.tests.factories import make_plan
from sandbox.stripe import StandIn


@pytest.fixture
def stripe(settings: Any) -> Iterator[StandIn]:
    """The product pays here, and nobody remembers another test's bad day."""
    with StandIn() as stand_in:
        settings.STRIPE_API_BASE = stand_in.url
        settings.STRIPE_HOSTED_ORIGINS = (stand_in.site,)
        settings.STRIPE_SECRET_KEY = stand_in.config.api_key
        settings.STRIPE_WEBHOOK_SECRETS = [stand_in.config.webhook_secret]
        client.breaker.success()
        yield stand_in
        client.breaker.success()


@pytest.fixture
def stripe_down(settings: Any) -> Iterator[None]:
    """Nobody listens where Stripe should be."""
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    client.breaker.success()
    yield
    client.breaker.success()


# --- A person and plans, where a test names no others ---------------------------------------------------
@pytest.fixture
def user() -> User:
    return make_user(name="Margaret Ellis", email="margaret@example.com")


@pytest.fixture
def basic() -> Plan:
    return make_plan(name="basic", display_name="Basic", price_in_cents=4900, session_limit=2, family_size=1)


@pytest.fixture
def standard() -> Plan:
    return make_plan(name="standard", display_name="Standard", price_in_cents=9900)


@pytest.fixture
def premium() -> Plan:
    return make_plan(name="premium", display_name="Premium", price_in_cents=19900, session_limit=0, family_size=5)


@pytest.fixture
def own(stripe: StandIn, user: User, standard: Plan) -> UserSubscription:
    """Standard, bought a moment ago."""
    return bought(stripe, user, standard)


@pytest.fixture
def plan(standard: Plan) -> Plan:
    """The plan of a test that needs only one."""
    return standard
