"""A Stripe for each test: the stand-in, over HTTP, in memory, which posts nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from billing.gateway import client
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
