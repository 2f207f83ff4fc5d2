"""Events as they are posted: their shape beside Mailgun's own samples, their signature, their retries."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.mailgun import Config, StandIn
from sandbox.mailgun.tests.conftest import message
from sandbox.tests import receiver


class Receiver(receiver.Receiver):
    @property
    def posts(self) -> list[dict[str, Any]]:
        return [json.loads(post.body) for post in self.received]

    @property
    def kinds(self) -> list[str]:
        return [post["event-data"]["event"] for post in self.posts]


@pytest.fixture(name="receiver")
def receiver_fixture() -> Iterator[Receiver]:
    made = Receiver("/webhooks/mailgun?from=test")
    yield made
    made.close()


@pytest.fixture
def mailgun(receiver: Receiver) -> Iterator[StandIn]:
    with StandIn(webhook_url=receiver.url, retry_seconds=(0.01, 0.01), signing_key="key-1") as stand_in:
        yield stand_in


def send(mailgun: StandIn, **fields: Any) -> None:
    address = f"{mailgun.url}/{mailgun.config.domain}/messages"
    answer = requests.post(address, data=message(**fields), auth=("api", mailgun.config.api_key), timeout=5)
    assert answer.status_code == 200


def test_an_event_is_signed_over_timestamp_and_token(mailgun: StandIn, receiver: Receiver) -> None:
    send(mailgun, v__job="5")
    assert mailgun.wait_for_webhooks()

    [post] = receiver.posts
    given = post["signature"]
    expected = hmac.new(b"key-1", (given["timestamp"] + given["token"]).encode(), hashlib.sha256).hexdigest()
    assert given["signature"] == expected
    assert len(given["token"]) == 50
    assert len(given["timestamp"]) == 10
    assert post["event-data"]["event"] == "accepted"
    assert post["event-data"]["user-variables"] == {"job": "5"}


def test_events_come_in_the_order_they_happened(mailgun: StandIn, receiver: Receiver) -> None:
    send(mailgun)
    for kind in ("delivered", "opened", "clicked", "temporary_fail"):
        mailgun.happen(mailgun.last(), kind)
    assert mailgun.wait_for_webhooks()

    assert receiver.kinds == ["accepted", "delivered", "opened", "clicked", "failed"]
    assert receiver.posts[3]["event-data"]["url"] == "http://127.0.0.1:8000/booking/visits/abc/"
    assert receiver.posts[4]["event-data"]["severity"] == "temporary"
    assert mailgun.suppressed() == []


@pytest.mark.parametrize("final", [200, 406])
def test_anything_but_200_and_406_is_tried_again_with_a_new_token(
    mailgun: StandIn, receiver: Receiver, final: int
) -> None:
    receiver.answers = [204, 503, final]

    send(mailgun)
    assert mailgun.wait_for_webhooks()

    assert len(receiver.posts) == 3
    assert len({post["signature"]["token"] for post in receiver.posts}) == 3
    assert len({post["event-data"]["id"] for post in receiver.posts}) == 1


def test_retries_end(mailgun: StandIn, receiver: Receiver) -> None:
    receiver.answers = [500] * 10

    send(mailgun)
    assert mailgun.wait_for_webhooks()

    assert len(receiver.posts) == 3


def test_a_delivery_notice_is_not_tried_again(mailgun: StandIn, receiver: Receiver) -> None:
    send(mailgun)
    assert mailgun.wait_for_webhooks()
    receiver.answers = [500]

    mailgun.happen(mailgun.last(), "delivered")
    assert mailgun.wait_for_webhooks()

    assert receiver.kinds == ["accepted", "delivered"]


def test_a_receiver_that_is_away_loses_nothing_but_time(mailgun: StandIn, receiver: Receiver) -> None:
    receiver.close()

    send(mailgun)

    assert mailgun.wait_for_webhooks()
    assert receiver.posts == []


@pytest.mark.parametrize(
    ("kind", "name"), [("permanent_fail", "bounces"), ("complained", "complaints"), ("unsubscribed", "unsubscribes")]
)
def test_a_bounce_a_complaint_and_an_unsubscribe_fill_mailguns_own_lists(
    mailgun: StandIn, receiver: Receiver, kind: str, name: str
) -> None:
    send(mailgun)
    mailgun.happen(mailgun.last(), kind)
    send(mailgun)
    assert mailgun.wait_for_webhooks()

    assert mailgun.suppressed(name) == ["grace@example.net"]
    assert receiver.kinds[-2:] == ["accepted", "failed"]


def test_automatic_delivery_follows_acceptance(receiver: Receiver) -> None:
    with StandIn(webhook_url=receiver.url, auto_deliver=True) as mailgun:
        send(mailgun)
        send(mailgun, o__testmode="yes")
        assert mailgun.wait_for_webhooks()

    assert receiver.kinds == ["accepted", "delivered", "accepted"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("accepted", {"method", "storage", "envelope", "flags", "api-key-id"}),
        ("delivered", {"storage", "envelope", "flags", "recipient-provider", "delivery-status"}),
        ("opened", {"ip", "geolocation", "client-info", "recipient-provider"}),
        ("clicked", {"ip", "geolocation", "client-info", "recipient-provider", "url"}),
        ("unsubscribed", {"ip", "geolocation", "client-info", "recipient-provider", "storage"}),
        ("complained", {"storage", "envelope"}),
        (
            "temporary_fail",
            {"storage", "envelope", "flags", "recipient-provider", "delivery-status", "severity", "reason"},
        ),
        (
            "permanent_fail",
            {"storage", "envelope", "flags", "recipient-provider", "delivery-status", "severity", "reason"},
        ),
    ],
)
def test_each_event_has_the_fields_of_mailguns_samples(mailgun: StandIn, kind: str, names: set[str]) -> None:
    common = {
        "event", "id", "timestamp", "log-level", "account", "domain", "recipient", "recipient-domain", "tags",
        "campaigns", "user-variables", "message",
    }  # fmt: skip
    send(mailgun)
    if kind != "accepted":
        mailgun.happen(mailgun.last(), kind)

    event = mailgun.events(mailgun.last())[-1]

    assert set(event) == common | names
    assert isinstance(event["timestamp"], float)
    assert event["user-variables"] == []  # none were given
    assert ("to" in event["message"]["headers"]) == (kind not in ("opened", "clicked", "unsubscribed"))


def test_long_variables_arrive_as_a_cut_string(mailgun: StandIn, receiver: Receiver) -> None:
    send(mailgun, v__note="x" * 5000)

    [event] = mailgun.events(mailgun.last())

    assert event["user-variables"].startswith('{"note": "xxx')
    assert len(event["user-variables"]) == 4096


def test_without_an_address_nothing_is_posted() -> None:
    with StandIn() as mailgun:
        send(mailgun)
        assert mailgun.wait_for_webhooks(timeout=0)
        assert [event["event"] for event in mailgun.events(mailgun.last())] == ["accepted"]


def test_when_asked_each_event_is_posted_several_times_and_out_of_order(mailgun: StandIn, receiver: Receiver) -> None:
    mailgun.disorder(copies=3, shuffle=4)

    send(mailgun)
    for kind in ("delivered", "opened", "clicked"):
        mailgun.happen(mailgun.last(), kind)
    assert mailgun.wait_for_webhooks()

    assert sorted(receiver.kinds) == sorted(["accepted", "delivered", "opened", "clicked"] * 3)
    assert list(dict.fromkeys(receiver.kinds)) != ["accepted", "delivered", "opened", "clicked"]
    opened = [post for post in receiver.posts if post["event-data"]["event"] == "opened"]
    assert len({post["event-data"]["id"] for post in opened}) == 1
    assert len({post["signature"]["token"] for post in opened}) == 2  # one copy is the same body, one is signed anew

    mailgun.disorder()
    send(mailgun)
    assert mailgun.wait_for_webhooks()
    assert len(receiver.posts) == 13


def test_the_environment_may_ask_for_disorder() -> None:
    config = Config.from_environment({"MAILGUN_STANDIN_WEBHOOK_COPIES": "2", "MAILGUN_STANDIN_WEBHOOK_SHUFFLE": "7"})

    assert (config.webhook_copies, config.webhook_shuffle) == (2, 7)
    with pytest.raises(ValueError, match="at least once"):
        StandIn(webhook_copies=0)
