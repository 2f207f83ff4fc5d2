"""What the stand-in remembers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.stripe import shapes
from sandbox.stripe.account import Account
from sandbox.stripe.config import Config
from sandbox.stripe.store import Answer, Store
from sandbox.stripe.tests.conftest import Letters


@pytest.fixture
def store() -> Any:
    made = Store(None)
    yield made
    made.close()


def test_a_folder_keeps_everything(tmp_path: Path) -> None:
    first = Store(tmp_path / "stripe")
    customer = shapes.new("customer", email="a@example.com")
    first.put(customer)
    first.keep_answer("key", Answer("/v1/customers", "[]", 200, "{}", "req_1"))
    first.offset = 60
    first.close()
    second = Store(tmp_path / "stripe")
    assert second.get(customer["id"]) == customer
    assert second.answer_for("key") == Answer("/v1/customers", "[]", 200, "{}", "req_1")
    assert second.offset == 60
    second.clear()
    assert (second.get(customer["id"]), second.answer_for("key"), second.offset) == (None, None, 0)
    second.close()


def test_what_fails_leaves_nothing_and_tells_nobody(store: Store) -> None:
    letters = Letters()
    account = Account(Config(), store, letters)

    def fail() -> None:
        with account.transaction():
            account.add(shapes.new("product", name="A"), "product.created")
            with account.transaction():
                account.add(shapes.new("product", name="B"), "product.created")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (store.find("product"), store.find("event"), letters.events) == ([], [], [])
    account.add(shapes.new("product", name="C"), "product.created")
    assert [event["data"]["object"]["name"] for event in letters.events] == ["C"]


def test_events_are_posted_after_the_change_is_kept(store: Store) -> None:
    seen: list[int] = []

    class Reader:
        def send(self, event: Any) -> None:
            seen.append(len(store.find("product")))

    account = Account(Config(), store, Reader())
    with account.transaction():
        account.add(shapes.new("product", name="A"), "product.created")
        account.add(shapes.new("product", name="B"), "product.created")
    assert seen == [2, 2]


def test_objects_are_found_by_their_fields(store: Store) -> None:
    for number in range(4):
        store.put(shapes.new("price", active=number % 2 == 0, unit_amount=number, recurring={"interval": "month"}))
    amounts = {
        str(where): [price["unit_amount"] for price in store.find("price", where)]
        for where in (
            {"active": True},
            {"unit_amount": [1, 3]},
            {"unit_amount": {"gte": 1, "lt": 3}},
            {"product": None},
        )
    }
    assert list(amounts.values()) == [[2, 0], [3, 1], [2, 1], [3, 2, 1, 0]]
    assert len(store.find("price", {"recurring.interval": "month"}, limit=2)) == 2


def test_an_object_keeps_its_place_when_it_changes(store: Store) -> None:
    first, second = shapes.new("product"), shapes.new("product")
    store.put(first)
    store.put(second)
    store.put({**first, "name": "Changed"})
    assert [item["id"] for item in store.find("product")] == [second["id"], first["id"]]
