"""Idempotency keys: one effect, one answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from sandbox.stripe import customers
from sandbox.stripe.tests.conftest import Shop

KEY: Any = {"idempotency_key": "customer:42"}


def test_the_same_request_is_answered_as_before(shop: Shop) -> None:
    first = shop.v1.customers.create({"email": "a@example.com"}, KEY)
    number = shop.last.headers["Request-Id"]
    assert "Idempotent-Replayed" not in shop.last.headers
    shop.v1.customers.update(first.id, {"name": "Changed"})
    again = shop.v1.customers.create({"email": "a@example.com"}, KEY)
    assert (again.id, again.name) == (first.id, None)
    assert shop.last.headers["Idempotent-Replayed"] == "true"
    assert shop.last.headers["Original-Request"] == number != shop.last.headers["Request-Id"]
    assert shop.types() == ["customer.created", "customer.updated"]


def test_the_order_of_parameters_does_not_matter(shop: Shop) -> None:
    first = shop.v1.customers.create({"email": "a@example.com", "name": "A"}, KEY)
    assert shop.v1.customers.create({"name": "A", "email": "a@example.com"}, KEY).id == first.id


def test_other_parameters_are_refused(shop: Shop) -> None:
    shop.v1.customers.create({"email": "a@example.com"}, KEY)
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as caught:
        shop.v1.customers.create({"email": "b@example.com"}, KEY)
    assert caught.value.http_status == 400


def test_another_path_is_refused(shop: Shop) -> None:
    shop.v1.customers.create({"name": "A"}, KEY)
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        shop.v1.products.create({"name": "A"}, KEY)


def test_a_request_that_was_wrong_does_not_use_the_key_up(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.customers.create({"email": "nobody"}, KEY)
    assert shop.v1.customers.create({"email": "a@example.com"}, KEY).email == "a@example.com"


def test_the_refusal_rolls_everything_back(shop: Shop) -> None:
    item: Any = {"price_data": {"currency": "usd", "unit_amount": 10, "product_data": {"name": "Bead"}}, "quantity": 1}
    before = len(shop.v1.products.list().data)
    with pytest.raises(stripe.InvalidRequestError):
        shop.once(line_items=[item])
    assert len(shop.v1.products.list().data) == before
    assert shop.types() == []


def test_a_key_in_use_is_said_to_be(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on = threading.Event(), threading.Event()
    usual = customers.add

    def slow(*args: Any) -> Any:
        inside.set()
        assert go_on.wait(10)
        return usual(*args)

    monkeypatch.setattr(customers, "add", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(shop.v1.customers.create, {"email": "a@example.com"}, KEY)
        assert inside.wait(10)
        with pytest.raises(stripe.StripeError) as caught:
            shop.v1.customers.create({"email": "a@example.com"}, KEY)
        answer: Any = caught.value.json_body
        assert (caught.value.http_status, answer["error"]["code"]) == (409, "idempotency_key_in_use")
        go_on.set()
        made = first.result()
    assert shop.v1.customers.create({"email": "a@example.com"}, KEY).id == made.id


def test_many_at_once_make_one(shop: Shop) -> None:
    client = shop.client_with("sk_test_stand_in", max_network_retries=5)
    params: Any = {"email": "a@example.com"}
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _number: client.v1.customers.create(params, KEY).id, range(24)))
    assert len(set(made)) == 1
    assert shop.types() == ["customer.created"]


def test_many_at_once_without_a_key_make_many(shop: Shop) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _number: shop.customer(), range(24)))
    assert len(set(made)) == 24
    assert len(list(shop.v1.customers.list({"limit": 100}).data)) == 24


def test_two_hands_cannot_pay_one_session(shop: Shop) -> None:
    session = shop.once()
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _number: shop.pay(session).ok, range(4)))
    assert sorted(outcomes) == [False, False, False, True]
    assert shop.types().count("checkout.session.completed") == 1
