"""The stand-in over HTTP: the real client against it on good days and on bad ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe as library

from sandbox.stripe import StandIn, faults
from sandbox.stripe.tests.live.conftest import Shop

KEY: Any = {"idempotency_key": "key-1"}


def test_the_client_is_answered_and_every_call_is_noted(shop: Shop) -> None:
    before = len(shop.stand_in.calls)

    made = shop.v1.customers.create({"email": "a@example.net", "metadata": {"user_id": "4"}}, KEY)
    with pytest.raises(library.InvalidRequestError):
        shop.v1.customers.retrieve("cus_nobody")

    first, second = shop.stand_in.calls[before:]
    assert made.id.startswith("cus_")
    assert (first.method, first.path, first.status) == ("POST", "/v1/customers", 200)
    assert first.params == {"email": "a@example.net", "metadata[user_id]": "4"}
    assert first.headers["Idempotency-Key"] == "key-1"
    assert (second.method, second.status) == ("GET", 404)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, library.InvalidRequestError),
        (401, library.AuthenticationError),
        (402, library.CardError),
        (403, library.PermissionError),
        (429, library.RateLimitError),
        (500, library.APIError),
        (503, library.APIError),
    ],
)
def test_a_scripted_refusal_comes_once_and_nothing_is_carried_out(
    shop: Shop, status: int, error: type[Exception]
) -> None:
    shop.stand_in.answers(status)

    with pytest.raises(error):
        shop.v1.customers.create({"email": "a@example.net"})

    assert shop.stand_in.calls[-1].status == status
    assert len(shop.v1.customers.list().data) == 1


def test_a_fault_waits_for_the_calls_it_is_meant_for(shop: Shop) -> None:
    shop.stand_in.faults.add(500, on="POST /v1/customers", times=2)

    assert shop.v1.customers.list().data
    assert shop.v1.prices.list().data
    for _ in range(2):
        with pytest.raises(library.APIError):
            shop.v1.customers.update(shop.customer, {"name": "New"})
    assert shop.v1.customers.update(shop.customer, {"name": "New"}).name == "New"
    assert shop.stand_in.answers_left == 0


def test_a_rule_lasts_until_it_is_ended(shop: Shop) -> None:
    shop.stand_in.always(faults.status(503), on="GET")

    for _ in range(2):
        with pytest.raises(library.APIError):
            shop.v1.prices.list()
    shop.stand_in.always(None, on="GET")

    assert shop.v1.prices.list().data


def test_a_cut_before_the_work_leaves_nothing_behind(shop: Shop) -> None:
    shop.stand_in.answers(faults.reset(), on="POST")

    with pytest.raises(library.APIConnectionError):
        shop.v1.customers.create({"email": "a@example.net"})

    assert len(shop.v1.customers.list().data) == 1


def test_a_cut_after_the_work_is_healed_by_the_key(shop: Shop) -> None:
    shop.stand_in.answers(faults.accept_then_reset(), on="POST")

    with pytest.raises(library.APIConnectionError):
        shop.v1.customers.create({"email": "a@example.net"}, KEY)
    again = shop.v1.customers.create({"email": "a@example.net"}, KEY)

    assert again.last_response is not None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert len(shop.v1.customers.list().data) == 2


def test_trouble_after_the_work_is_healed_by_the_clients_own_retry(shop: Shop) -> None:
    client = library.StripeClient(
        shop.stand_in.config.api_key, base_addresses={"api": shop.stand_in.url}, max_network_retries=1
    )
    shop.stand_in.answers(faults.accept_then(500), on="POST")

    client.v1.customers.create({"email": "a@example.net"})

    assert len(shop.v1.customers.list().data) == 2


def test_slowness_outlasts_a_time_out(shop: Shop) -> None:
    hasty = library.StripeClient(
        shop.stand_in.config.api_key,
        base_addresses={"api": shop.stand_in.url},
        http_client=library.RequestsClient(timeout=0.2),
    )
    shop.stand_in.answers(faults.slow(0.6))
    started = time.monotonic()

    with pytest.raises(library.APIConnectionError):
        hasty.v1.customers.create({"email": "a@example.net"})

    assert time.monotonic() - started < 0.6
    assert len(shop.v1.customers.list().data) == 2


def test_connections_are_refused_inside_the_block_only(shop: Shop) -> None:
    with shop.stand_in.refusing(), pytest.raises(library.APIConnectionError):
        shop.v1.prices.list()

    assert shop.v1.prices.list().data


def test_without_the_prefix_of_the_api_there_are_pages_only(stand_in: StandIn) -> None:
    assert requests.get(f"{stand_in.site}/healthz", timeout=5).text == "ok"
    assert requests.get(f"{stand_in.site}/v2/core", timeout=5).status_code == 404
    assert stand_in.calls == []


def test_a_cleared_stand_in_remembers_nothing(shop: Shop) -> None:
    shop.plan()
    shop.stand_in.answers(500)

    shop.stand_in.clear()

    assert shop.stand_in.events == []
    assert shop.stand_in.calls == []
    assert shop.v1.customers.list().data == []


def test_what_it_knows_is_kept_in_its_folder(tmp_path: Path) -> None:
    with StandIn(data_dir=tmp_path) as first:
        client = library.StripeClient(first.config.api_key, base_addresses={"api": first.url})
        made = client.v1.customers.create({"email": "a@example.net"})
    with StandIn(data_dir=tmp_path) as second:
        client = library.StripeClient(second.config.api_key, base_addresses={"api": second.url})

        assert client.v1.customers.retrieve(made.id).email == "a@example.net"


def test_its_environment_points_a_process_at_it(stand_in: StandIn) -> None:
    assert stand_in.environment == {
        "STRIPE_SECRET_KEY": "sk_test_stand_in",
        "STRIPE_WEBHOOK_SECRETS": "whsec_test",
        "STRIPE_API_BASE": stand_in.site,
    }


def test_banks_and_time_can_be_played_in_a_line(shop: Shop) -> None:
    stripe, plan = shop.stand_in, shop.plan()
    stripe.set_card(shop.customer, "4000000000000341")
    assert stripe.renew(plan)["status"] == "past_due"
    stripe.set_card(shop.customer)
    assert stripe.retry(plan)["status"] == "active"
    charge = stripe.account.store.find("charge", limit=1)[0]["id"]
    refund = shop.v1.refunds.create({"charge": charge, "amount": 100})
    assert stripe.settle_refund(refund.id, "failed")["status"] == "failed"
    dispute = stripe.open_dispute(charge)
    assert stripe.close_dispute(dispute["id"], "won")["status"] == "won"
    assert stripe.end_now(plan)["status"] == "canceled"
    assert stripe.expire(shop.session().id)["status"] == "expired"
    assert stripe.events[-1]["type"] == "checkout.session.expired"
