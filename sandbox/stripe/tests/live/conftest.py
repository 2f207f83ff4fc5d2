"""A stand-in on a port, a shop that hears of everything, and the real ``stripe`` client between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stripe as library

from sandbox.stripe import StandIn
from sandbox.tests.receiver import Receiver, receiving


class Shop:
    """What a product does at Stripe: plans for sale, a customer, and pages to send people to."""

    def __init__(self, stand_in: StandIn, receiver: Receiver) -> None:
        self.stand_in, self.receiver = stand_in, receiver
        self.client = library.StripeClient(stand_in.config.api_key, base_addresses={"api": stand_in.url})
        self.v1 = self.client.v1
        self.browser = requests.Session()
        self.basic = self.price("Basic", 4900)
        self.standard = self.price("Standard", 9900)
        self.customer = self.v1.customers.create({"email": "margaret@example.net", "name": "Margaret <Ellis>"}).id

    def price(self, name: str, cents: int) -> str:
        product = self.v1.products.create({"name": name})
        return self.v1.prices.create(
            {"product": product.id, "currency": "usd", "unit_amount": cents, "recurring": {"interval": "month"}}
        ).id

    def session(self, **changes: Any) -> Any:
        """An open Checkout Session for Basic; None leaves a parameter out."""
        params = {
            "mode": "subscription",
            "customer": self.customer,
            "line_items": [{"price": self.basic, "quantity": 1}],
            "success_url": self.receiver.site + "/done/?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": self.receiver.site + "/plans/",
            **changes,
        }
        asked: Any = {name: value for name, value in params.items() if value is not None}
        return self.v1.checkout.sessions.create(asked)

    def once(self, cents: int, **changes: Any) -> Any:
        """A session that a guest pays once."""
        item = {"price_data": {"currency": "usd", "unit_amount": cents, "product_data": {"name": "Gift card"}}}
        return self.session(mode="payment", customer=None, line_items=[{**item, "quantity": 1}], **changes)

    def plan(self, card: str = "4242424242424242") -> str:
        """The id of a paid subscription to Basic."""
        session = self.session()
        assert self.stand_in.pay(session.id, card=card).ok
        return str(self.v1.checkout.sessions.retrieve(session.id).subscription)

    def get(self, address: str) -> requests.Response:
        return self.browser.get(self._at(address), timeout=5, allow_redirects=False)

    def post(self, address: str, **fields: str) -> requests.Response:
        """Send a form off as a page of the stand-in would."""
        return self.browser.post(
            self._at(address), data=fields, headers={"Origin": self.stand_in.site}, timeout=5, allow_redirects=False
        )

    def press(self, verb: str, object_id: str = "") -> requests.Response:
        """Press a button of the control page."""
        return self.post("/act/", do=verb, **({"id": object_id} if object_id else {}))

    def _at(self, address: str) -> str:
        return self.stand_in.site + address if address.startswith("/") else address


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving("/webhooks/stripe?from=test") as made:
        yield made


@pytest.fixture
def stand_in(receiver: Receiver) -> Iterator[StandIn]:
    with StandIn(webhook_url=receiver.url, webhook_secret="whsec_test", retry_seconds=(0.01, 0.01)) as made:
        yield made


@pytest.fixture
def shop(stand_in: StandIn, receiver: Receiver) -> Iterator[Shop]:
    """The shop after it has set up its prices; what was posted of that is forgotten."""
    made = Shop(stand_in, receiver)
    assert stand_in.wait_for_webhooks()
    receiver.received.clear()
    stand_in.webhooks.forget()
    yield made
    made.browser.close()
