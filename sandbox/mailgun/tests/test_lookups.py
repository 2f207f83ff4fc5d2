"""Finding out what happened to a message: events, logs, the stored message; and the lag of all three."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.mailgun import StandIn
from sandbox.mailgun.tests.conftest import Post


def find_in_logs(mailgun: StandIn, reader: requests.Session, message_id: str) -> list[dict[str, Any]]:
    one: dict[str, Any] = {
        "attribute": "message_id",
        "comparator": "=",
        "values": [{"label": message_id, "value": message_id}],
    }
    answer = reader.post(f"{mailgun.site}/v1/analytics/logs", json={"filter": {"AND": [one]}}, timeout=5)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def find_events(mailgun: StandIn, reader: requests.Session, **query: str) -> list[dict[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in query.items()}
    answer = reader.get(f"{mailgun.url}/{mailgun.config.domain}/events", params=named, timeout=5)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_an_accepted_message_is_found_by_its_id_in_events_and_logs(
    mailgun: StandIn, post: Post, reader: requests.Session
) -> None:
    post(h__Message_Id="<job-1.aa@x.example>", v__job="1")
    post(h__Message_Id="<job-2.bb@x.example>")

    [event] = find_events(mailgun, reader, message_id="job-1.aa@x.example")
    [entry] = find_in_logs(mailgun, reader, "job-1.aa@x.example")

    assert event["event"] == entry["event"] == "accepted"
    assert event["message"]["headers"]["message-id"] == "job-1.aa@x.example"
    assert event["user-variables"] == {"job": "1"}
    assert entry["@timestamp"].endswith("Z")
    assert "timestamp" not in entry
    assert find_events(mailgun, reader, message_id="<job-1.aa@x.example>") == []  # events know no brackets


def test_events_lag_behind_by_the_set_time(mailgun: StandIn, post: Post, reader: requests.Session) -> None:
    mailgun.index_lag = 60
    post(h__Message_Id="<job-1.aa@x.example>")

    assert find_in_logs(mailgun, reader, "job-1.aa@x.example") == []
    assert find_events(mailgun, reader, message_id="job-1.aa@x.example") == []

    mailgun.index_lag = 0
    assert len(find_in_logs(mailgun, reader, "job-1.aa@x.example")) == 1
    assert len(find_events(mailgun, reader, message_id="job-1.aa@x.example")) == 1


def test_the_sending_key_finds_nothing_out(mailgun: StandIn, session: requests.Session) -> None:
    assert session.get(f"{mailgun.url}/{mailgun.config.domain}/events", timeout=5).status_code == 401
    assert session.post(f"{mailgun.site}/v1/analytics/logs", json={}, timeout=5).status_code == 401
    assert session.get(f"{mailgun.url}/{mailgun.config.domain}/bounces", timeout=5).status_code == 401


def test_pages_of_events_follow_one_another_to_an_empty_one(
    mailgun: StandIn, post: Post, reader: requests.Session
) -> None:
    for number in range(3):
        post(h__Message_Id=f"<job-{number}.aa@x.example>")

    seen = []
    address = f"{mailgun.url}/{mailgun.config.domain}/events?limit=2&ascending=yes"
    while items := (page := reader.get(address, timeout=5).json())["items"]:
        seen.append([item["message"]["headers"]["message-id"][:5] for item in items])
        address = page["paging"]["next"]

    assert seen == [["job-0", "job-1"], ["job-2"]]


def test_logs_filter_by_recipient_and_event_and_page_on(mailgun: StandIn, post: Post, reader: requests.Session) -> None:
    post(to="alan@example.net")
    post(to="grace@example.net")
    mailgun.happen(mailgun.messages()[0], "delivered")
    address = f"{mailgun.site}/v1/analytics/logs"
    alan = {"attribute": "recipient", "comparator": "=", "values": [{"label": "", "value": "Alan@example.net"}]}

    asked: dict[str, Any] = {"filter": {"AND": [alan]}, "pagination": {"limit": 1, "sort": "timestamp:asc"}}
    first = reader.post(address, json=asked, timeout=5).json()
    asked["pagination"]["token"] = first["pagination"]["next"]
    second = reader.post(address, json=asked, timeout=5).json()
    only = reader.post(address, json={"events": ["delivered"], "duration": "1h"}, timeout=5).json()

    assert [item["event"] for item in first["items"] + second["items"]] == ["accepted", "delivered"]
    assert [item["recipient"] for item in only["items"]] == ["alan@example.net"]


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "null",
        "{",
        '{"filter": {"AND": [{"attribute": "shoe_size", "comparator": "=", "values": [{"value": "9"}]}]}}',
        '{"filter": {"AND": [{"attribute": "message_id"}]}}',
        '{"filter": {"AND": "x"}}',
        '{"filter": []}',
        '{"start": "yesterday"}',
        '{"duration": "soon"}',
        '{"pagination": {"limit": 0}}',
        '{"pagination": {"token": "x"}}',
        '{"pagination": [1]}',
        '{"events": "opened"}',
        '{"events": ["\\ud800"]}',
    ],
)
def test_an_odd_question_is_400_not_500(mailgun: StandIn, reader: requests.Session, body: str) -> None:
    answer = reader.post(f"{mailgun.site}/v1/analytics/logs", data=body, timeout=5)

    assert answer.status_code == 400


def test_the_storage_address_of_an_event_gives_the_message_back(
    mailgun: StandIn, post: Post, reader: requests.Session
) -> None:
    post(text="Only words")
    [event] = mailgun.events(mailgun.last())

    answer = reader.get(event["storage"]["url"], timeout=5)

    assert answer.json()["body-plain"] == "Only words"
    assert reader.get(event["storage"]["url"] + "9", timeout=5).status_code == 404
