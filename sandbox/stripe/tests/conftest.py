"""A stand-in's account and the real ``stripe`` client on it, without a network between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from sandbox.stripe import checkout, routes
from sandbox.stripe.account import Account
from sandbox.stripe.config import Config
from sandbox.stripe.store import Store
from sandbox.stripe.wire import Request, Response

GOOD = "4242424242424242"


class Letters:
    """Keeps the events instead of posting them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def send(self, event: dict[str, Any]) -> None:
        self.events.append(event)


class _Wire(stripe.HTTPClient):
    """Hands what the client sends straight to the routes."""

    name = "direct"

    def __init__(self, handle: Callable[[Request], Response]) -> None:
        super().__init__()
        self.handle = handle

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_more: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        parts = urlsplit(url)
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        response = self.handle(Request(method.upper(), parts.path, parts.query, dict(headers or {}), body))
        return (
            response.body.decode(),
            response.status,
            {name.lower(): value for name, value in response.headers.items()},
        )


class Shop:
    """An account with two plans, and the calls tests make most."""

    def __init__(self) -> None:
        self.letters = Letters()
        self.account = Account(Config(), Store(None), self.letters)
        self.account.site = "http://stripe.example"
        self.last: Response = Response()
        self.client = self.client_with("sk_test_stand_in")
        self.v1 = self.client.v1
        self.basic = self.price("Basic", 4900)
        self.standard = self.price("Standard", 9900)
        self.letters.events.clear()

    def client_with(self, key: str, **options: Any) -> stripe.StripeClient:
        return stripe.StripeClient(key, http_client=_Wire(self._handle), **options)

    def _handle(self, request: Request) -> Response:
        self.last = routes.handle(self.account, request)
        return self.last

    def price(self, name: str, cents: int) -> str:
        product = self.v1.products.create({"name": name})
        made = self.v1.prices.create(
            {
                "product": product.id,
                "currency": "usd",
                "unit_amount": cents,
                "recurring": {"interval": "month"},
                "lookup_key": f"{name.lower()}_monthly",
            }
        )
        return made.id

    def customer(self) -> str:
        params: Any = {"email": "jordan@example.com", "name": "Jordan Rivera", "metadata": {"user_id": "42"}}
        return self.v1.customers.create(params).id

    def session(self, **changes: Any) -> Any:
        """A session for the Basic plan, with some parameters changed (None leaves one out); earlier events are forgotten."""
        params = {
            "mode": "subscription",
            "line_items": [{"price": self.basic, "quantity": 1}],
            "success_url": "https://shop.example/done/?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://shop.example/",
            "expires_at": int(time.time()) + 2400,
            "metadata": {"kind": "plan"},
            "subscription_data": {"metadata": {"plan": "basic"}},
            **changes,
        }
        asked: Any = {name: value for name, value in params.items() if value is not None}
        made = self.v1.checkout.sessions.create(asked)
        self.letters.events.clear()
        return made

    def once(self, cents: int = 5000, **changes: Any) -> Any:
        """A session that is paid once."""
        item = {"price_data": {"currency": "usd", "unit_amount": cents, "product_data": {"name": "Gift card"}}}
        more = {"customer_email": "guest@example.com", "payment_intent_data": {"metadata": {"kind": "gift_card"}}}
        return self.session(
            **{"mode": "payment", "subscription_data": None, "line_items": [{**item, "quantity": 1}], **more, **changes}
        )

    def pay(self, session: Any, card: str = GOOD, **more: Any) -> checkout.Outcome:
        return checkout.pay(self.account, session.id, card=card, **more)

    def subscribed(self, card: str = GOOD, **changes: Any) -> Any:
        """A new subscription to Basic, as the API shows it; the events so far are forgotten."""
        session = self.session(**{"customer": self.customer(), **changes})
        assert self.pay(session, card).ok
        found = self.v1.checkout.sessions.retrieve(session.id).subscription
        self.letters.events.clear()
        return self.v1.subscriptions.retrieve(str(found))

    def bought(self, cents: int = 5000, card: str = GOOD) -> str:
        """The payment intent of a purchase; the events so far are forgotten."""
        session = self.once(cents)
        assert self.pay(session, card).ok
        self.letters.events.clear()
        return str(self.v1.checkout.sessions.retrieve(session.id).payment_intent)

    def types(self) -> list[str]:
        """The types of the events since they were last asked for."""
        types = [event["type"] for event in self.letters.events]
        self.letters.events.clear()
        return types


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.account.store.close()


def item_of(subscription: Any) -> Any:
    """The one item of a subscription."""
    return subscription["items"].data[0]


def change(subscription: Any, price: str, **more: Any) -> Any:
    """The parameters that move a subscription to another price at once."""
    items = [{"id": item_of(subscription).id, "price": price}]
    return {"items": items, "proration_behavior": "always_invoice", **more}
