"""The whole way: Stripe posts over HTTP, three copies in disorder, and the rows follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.tests.factories import make_user
from billing.gateway import client
from billing.models import Payment, StripeEvent, UserSubscription
from billing.services import catalogue, events
from billing.tests.buying import buy
from billing.tests.factories import make_plan
from billing.tests.posts import ADDRESS, apply_all
from emails.models import EmailJob
from sandbox.stripe import StandIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def loud(live_server: Any, settings: Any) -> Iterator[StandIn]:
    """A Stripe that posts what happens to the product."""
    with StandIn(
        webhook_url=f"{live_server.url}{ADDRESS}",
        webhook_copies=3,
        webhook_shuffle=7,
        retry_seconds=(0.2, 0.2, 0.2, 0.2, 0.2),
    ) as server:
        settings.STRIPE_API_BASE = server.url
        settings.STRIPE_SECRET_KEY = server.config.api_key
        settings.STRIPE_WEBHOOK_SECRETS = [server.config.webhook_secret]
        client.breaker.success()
        yield server
        client.breaker.success()


def test_a_plan_lives_its_whole_life(loud: StandIn) -> None:
    person, plan = make_user(name="Margaret Ellis"), make_plan(name="standard", price_in_cents=9900)
    number = buy(loud, person, plan)
    assert loud.wait_for_webhooks()
    apply_all()
    assert UserSubscription.objects.get().status == "active"

    loud.renew(number)
    loud.end_now(number)
    assert loud.wait_for_webhooks()
    apply_all()

    assert UserSubscription.objects.get().status == "cancelled"
    assert Payment.objects.count() == 2
    assert StripeEvent.objects.count() == len(loud.events)
    assert not StripeEvent.objects.filter(state__in=["waiting", "broken"]).exists()
    kinds = list(EmailJob.objects.order_by("pk").values_list("template_type", flat=True))
    assert sorted(kinds) == ["plan_ended", "plan_started"]


def test_a_wrong_secret_heals_by_stripes_retries(loud: StandIn, settings: Any) -> None:
    right = settings.STRIPE_WEBHOOK_SECRETS
    plan = make_plan(name="standard", price_in_cents=9900)
    catalogue.current_price(plan)
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_old"]
    buy(loud, make_user(), plan)
    settings.STRIPE_WEBHOOK_SECRETS = right
    assert loud.wait_for_webhooks()

    kept = set(StripeEvent.objects.values_list("event_type", flat=True))
    assert {"invoice.paid", "checkout.session.completed"} <= kept
    assert kept & set(events.LOOKS)
