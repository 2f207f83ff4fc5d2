"""Events as they are posted: signed so that the real client takes them, retried, doubled, out of order, held back."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import stripe as library

from sandbox.stripe import Config, StandIn
from sandbox.stripe.tests.live.conftest import Shop
from sandbox.tests.receiver import Post, Receiver


def kinds(receiver: Receiver) -> list[str]:
    return [json.loads(post.body)["type"] for post in receiver.received]


def opened(shop: Shop, post: Post, secret: str = "whsec_test") -> Any:
    return shop.client.construct_event(post.body, post.headers["Stripe-Signature"], secret)


def change(shop: Shop, name: str) -> None:
    shop.v1.customers.update(shop.customer, {"name": name})


def test_a_post_is_signed_so_that_the_client_takes_it(shop: Shop) -> None:
    change(shop, "Grace")
    assert shop.stand_in.wait_for_webhooks()

    [post] = shop.receiver.received
    event = opened(shop, post)
    assert post.path == "/webhooks/stripe?from=test"
    assert (event.type, event.api_version) == ("customer.updated", "2026-10-28.endive")
    assert event.data.object.name == "Grace"
    with pytest.raises(library.SignatureVerificationError):
        opened(shop, post, "whsec_other")


def test_a_plan_that_is_paid_is_told_in_stripes_order(shop: Shop) -> None:
    session = shop.session()

    shop.stand_in.pay(session.id)
    assert shop.stand_in.wait_for_webhooks()

    story = ["customer.subscription.created", "invoice.paid", "customer.subscription.updated",
             "checkout.session.completed"]  # fmt: skip
    assert [kind for kind in kinds(shop.receiver) if kind in story] == story
    assert kinds(shop.receiver) == [event["type"] for event in shop.stand_in.events][-len(shop.receiver.received) :]


@pytest.mark.parametrize("refusal", [302, 400, 404, 500])
def test_anything_but_success_is_tried_again_signed_anew(shop: Shop, refusal: int) -> None:
    shop.receiver.answers = [refusal, refusal, 204]

    change(shop, "Grace")
    assert shop.stand_in.wait_for_webhooks()

    assert len(shop.receiver.received) == 3
    assert len({opened(shop, post).id for post in shop.receiver.received}) == 1
    assert [posted.status for posted in shop.stand_in.webhooks.posted] == [refusal, refusal, 204]


def test_attempts_end(shop: Shop) -> None:
    shop.receiver.answers = [500] * 10

    change(shop, "Grace")
    assert shop.stand_in.wait_for_webhooks()

    assert len(shop.receiver.received) == 3


def test_a_receiver_that_is_away_is_noted_and_harms_nothing(shop: Shop) -> None:
    shop.receiver.close()

    change(shop, "Grace")

    assert shop.stand_in.wait_for_webhooks()
    assert {posted.status for posted in shop.stand_in.webhooks.posted} == {0}


def test_events_can_be_held_back_and_are_signed_when_they_go(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.stand_in.hold_webhooks()
    change(shop, "Grace")
    assert shop.stand_in.wait_for_webhooks()
    assert shop.receiver.received == []
    assert shop.stand_in.webhooks.waiting == 1

    later = time.time() + 900
    monkeypatch.setattr("sandbox.stripe.webhooks.time.time", lambda: later)
    shop.stand_in.release_webhooks()
    assert shop.stand_in.wait_for_webhooks()

    [post] = shop.receiver.received
    assert f"t={int(later)}," in post.headers["Stripe-Signature"]


def test_each_event_can_come_several_times_and_out_of_order(shop: Shop) -> None:
    shop.stand_in.disorder(copies=3, shuffle=7)
    session = shop.session()

    shop.stand_in.pay(session.id)
    assert shop.stand_in.wait_for_webhooks()

    ids = [opened(shop, post).id for post in shop.receiver.received]
    happened = [event["id"] for event in shop.stand_in.events][-len(set(ids)) :]
    assert sorted(ids) == sorted(happened * 3)
    assert list(dict.fromkeys(ids)) != happened


def test_all_events_can_be_sent_again_in_another_order(shop: Shop) -> None:
    shop.plan()
    assert shop.stand_in.wait_for_webhooks()
    shop.receiver.received.clear()

    shop.stand_in.webhooks.send_again(shop.stand_in.events, seed=3)
    assert shop.stand_in.wait_for_webhooks()

    happened = [event["type"] for event in shop.stand_in.events]
    assert sorted(kinds(shop.receiver)) == sorted(happened)
    assert kinds(shop.receiver) != happened


def test_events_can_be_late(shop: Shop) -> None:
    shop.stand_in.webhooks.delay_seconds = 0.3

    change(shop, "Grace")

    assert not shop.stand_in.wait_for_webhooks(timeout=0.1)
    assert shop.receiver.received == []
    assert shop.stand_in.wait_for_webhooks()
    assert len(shop.receiver.received) == 1


def test_what_was_refused_is_told_nobody(shop: Shop) -> None:
    with pytest.raises(library.InvalidRequestError):
        shop.v1.customers.update(shop.customer, {"email": "no address"})

    assert shop.stand_in.wait_for_webhooks()
    assert shop.receiver.received == []


def test_without_an_address_events_are_kept_and_posted_nowhere() -> None:
    with StandIn() as stand_in:
        client = library.StripeClient(stand_in.config.api_key, base_addresses={"api": stand_in.url})
        client.v1.customers.create({"email": "a@example.net"})

        assert stand_in.wait_for_webhooks(timeout=0)
        assert [event["type"] for event in stand_in.events] == ["customer.created"]


def test_the_environment_names_what_the_account_is() -> None:
    config = Config.from_environment(
        {
            "STRIPE_SECRET_KEY": "sk_test_1",
            "STRIPE_WEBHOOK_SECRETS": "whsec_new, whsec_old",
            "STRIPE_STANDIN_WEBHOOK_URL": "http://x/",
            "STRIPE_STANDIN_WEBHOOK_COPIES": "2",
            "STRIPE_STANDIN_WEBHOOK_SHUFFLE": "7",
        }
    )

    assert (config.api_key, config.webhook_secret, config.webhook_url) == ("sk_test_1", "whsec_new", "http://x/")
    assert (config.webhook_copies, config.webhook_shuffle) == (2, 7)
    assert Config.from_environment({"STRIPE_SECRET_KEY": ""}) == Config()
