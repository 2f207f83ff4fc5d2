"""The lists of addresses that are not delivered to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.mailgun import StandIn
from sandbox.mailgun.tests.conftest import Post


@pytest.fixture
def mailgun() -> Iterator[StandIn]:
    with StandIn(read_role="developer") as stand_in:
        yield stand_in


@pytest.mark.parametrize(
    ("name", "reason", "code"),
    [
        ("bounces", "suppress-bounce", 605),
        ("unsubscribes", "suppress-unsubscribe", 606),
        ("complaints", "suppress-complaint", 607),
    ],
)
def test_a_suppressed_recipient_is_accepted_and_then_fails(
    mailgun: StandIn, post: Post, name: str, reason: str, code: int
) -> None:
    mailgun.suppress("Grace@example.net", on=name)

    assert post().status_code == 200

    mail = mailgun.last()
    accepted, failed = mailgun.events(mail)
    assert mail.suppressed == {"grace@example.net": name}
    assert accepted["event"] == "accepted"
    assert (failed["event"], failed["severity"], failed["reason"]) == ("failed", "permanent", reason)
    assert failed["delivery-status"]["code"] == code


def test_a_complaint_outranks_an_unsubscribe_and_a_bounce_both(mailgun: StandIn, post: Post) -> None:
    for name in ("unsubscribes", "complaints"):
        mailgun.suppress("grace@example.net", on=name)
    post()
    mailgun.suppress("grace@example.net", on="bounces")
    post()

    assert [mail.suppressed["grace@example.net"] for mail in mailgun.messages()] == ["complaints", "bounces"]


def test_an_unsubscribe_from_one_tag_stops_only_that_tag(mailgun: StandIn, post: Post) -> None:
    mailgun.suppress("grace@example.net", on="unsubscribes", tags=["news"])

    post(o__tag="news")
    post(o__tag="security")

    assert [bool(mail.suppressed) for mail in mailgun.messages()] == [True, False]


@pytest.mark.parametrize("name", ["bounces", "unsubscribes", "complaints"])
def test_an_address_is_added_read_and_lifted(mailgun: StandIn, reader: requests.Session, name: str) -> None:
    whole = f"{mailgun.url}/{mailgun.config.domain}/{name}"
    one = f"{whole}/alan%2Bx@example.net"

    assert reader.get(one, timeout=5).status_code == 404
    added = reader.post(whole, data={"address": "Alan+x@example.net"}, timeout=5)
    assert (added.status_code, added.json()["message"]) == (200, f"Address has been added to the {name} table")
    assert reader.get(one, timeout=5).json()["address"] == "alan+x@example.net"
    assert [item["address"] for item in reader.get(whole, timeout=5).json()["items"]] == ["alan+x@example.net"]
    assert reader.delete(one, timeout=5).json()["address"] == "alan+x@example.net"
    assert reader.delete(one, timeout=5).status_code == 404
    assert mailgun.suppressed(name) == []


def test_many_addresses_are_added_as_json_and_read_page_by_page(mailgun: StandIn, reader: requests.Session) -> None:
    whole = f"{mailgun.url}/{mailgun.config.domain}/bounces"
    entries: list[Any] = [{"address": f"a{number}@example.net", "code": 550} for number in range(5)]

    assert "5 addresses" in reader.post(whole, json=entries, timeout=5).json()["message"]
    assert reader.post(whole, json=entries * 201, timeout=5).status_code == 400

    seen, address = [], f"{whole}?limit=2"
    while items := (page := reader.get(address, timeout=5).json())["items"]:
        seen += [item["address"] for item in items]
        address = page["paging"]["next"]
    assert seen == [f"a{number}@example.net" for number in range(5)]
    assert reader.delete(whole, timeout=5).status_code == 200
    assert mailgun.suppressed() == []


@pytest.mark.parametrize("body", ["{}", "[1]", "[]", "null", '{"address": "nobody"}', '{"address": 7}'])
def test_an_odd_entry_is_400(mailgun: StandIn, reader: requests.Session, body: str) -> None:
    headers = {"Content-Type": "application/json"}

    answer = reader.post(f"{mailgun.url}/{mailgun.config.domain}/bounces", data=body, headers=headers, timeout=5)

    assert answer.status_code == 400
    assert mailgun.suppressed() == []


def test_a_basic_key_reads_the_lists_but_changes_none() -> None:
    with StandIn() as mailgun:
        mailgun.suppress("grace@example.net")
        auth = ("api", mailgun.config.read_api_key)
        whole = f"{mailgun.url}/{mailgun.config.domain}/bounces"

        assert requests.get(whole, auth=auth, timeout=5).status_code == 200
        assert requests.delete(f"{whole}/grace@example.net", auth=auth, timeout=5).status_code == 403
        assert requests.post(whole, data={"address": "a@example.net"}, auth=auth, timeout=5).status_code == 403
        assert mailgun.suppressed() == ["grace@example.net"]
