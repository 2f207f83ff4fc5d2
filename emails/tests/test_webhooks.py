"""The door for Mailgun's posts: what is let in, what it costs, and that nothing makes it fall over."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from emails import tasks, webhooks
from emails.models import EmailWebhookPost
from emails.services import inbox
from emails.tests.factories import make_job
from emails.tests.posts import ADDRESS, KEY, SAMPLE_KEY, about, post, sample, signed
from techdeputies.lib import waking

pytestmark = pytest.mark.django_db

SAMPLES = (
    "accepted",
    "clicked",
    "complained",
    "delivered",
    "delivered_no_variables",
    "opened",
    "permanent_fail",
    "suppressed_fail",
    "temporary_fail",
    "unsubscribed",
)


@pytest.fixture(autouse=True)
def _key(settings: Any) -> None:
    settings.MAILGUN_WEBHOOK_SIGNING_KEY = KEY


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that were asked for."""
    names: list[str] = []
    monkeypatch.setattr(waking, "send_task", lambda name, **options: names.append(name))
    waking.forget_faults()
    waking.begun(tasks.apply_posts.name)
    return names


def rows() -> list[tuple[str, str]]:
    return list(EmailWebhookPost.objects.order_by("pk").values_list("event_type", "state"))


# --- What is let in -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_each_kind_of_post_is_kept_and_waits(client: Client, name: str) -> None:
    data = sample(name)["event-data"]

    answer = post(client, signed(data))

    assert answer.status_code == 200
    assert rows() == [(data["event"], "waiting")]


@pytest.mark.parametrize("name", [*SAMPLES, "delivered_subaccount"])
def test_the_samples_own_signatures_are_right(
    client: Client, name: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAILGUN_WEBHOOK_SIGNING_KEY = SAMPLE_KEY
    body = sample(name)
    monkeypatch.setattr(time, "time", lambda: int(body["signature"]["timestamp"]) + 60)

    assert post(client, body).status_code == 200
    assert EmailWebhookPost.objects.get().token == body["signature"]["token"]


def test_both_addresses_answer_and_neither_redirects(client: Client) -> None:
    for address in (ADDRESS, ADDRESS + "/"):
        answer = client.post(address, json.dumps(signed(sample("opened")["event-data"])), "application/json")

        assert answer.status_code == 200


def test_a_post_needs_no_session_and_no_token(woken: list[str]) -> None:
    answer = post(Client(enforce_csrf_checks=True), signed(sample("opened")["event-data"]))

    assert answer.status_code == 200
    assert not answer.cookies


def test_the_timestamp_may_be_a_number(client: Client) -> None:
    body = signed(sample("opened")["event-data"])
    body["signature"]["timestamp"] = int(body["signature"]["timestamp"])

    assert post(client, body).status_code == 200


def test_a_post_costs_one_statement(client: Client, django_capture_on_commit_callbacks: Any) -> None:
    post(client, signed(sample("opened")["event-data"]))

    with (
        CaptureQueriesContext(
            connection,
        ) as seen,
        django_capture_on_commit_callbacks(execute=True),
    ):
        post(client, signed(sample("delivered")["event-data"]))

    assert [query["sql"].split()[0] for query in seen.captured_queries] == ["INSERT"]


def test_the_task_is_asked_for_once(client: Client, woken: list[str], django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(3):
            post(client, signed(sample("opened")["event-data"]))

    assert woken == ["emails.tasks.apply_posts"]


def test_a_dead_broker_loses_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    tried: list[int] = []

    def dead(name: str, **options: Any) -> None:
        tried.append(1)
        raise ConnectionError

    monkeypatch.setattr(waking, "send_task", dead)

    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            assert post(client, signed(sample("opened")["event-data"])).status_code == 200

    assert len(tried) == 1
    assert len(rows()) == 2


def test_of_a_pressed_link_only_the_host_is_kept(client: Client) -> None:
    data = {**sample("clicked")["event-data"], "url": "https://example.com/gift/SECRET?code=ABCD"}

    post(client, signed(data))

    assert (EmailWebhookPost.objects.get().body or {})["url"] == "example.com"


# --- What is refused ------------------------------------------------------------------------------------


def test_only_posts_are_taken(client: Client) -> None:
    assert client.get(ADDRESS).status_code == 405
    assert client.put(ADDRESS, "{}", "application/json").status_code == 405


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
def test_only_json_is_taken(client: Client, kind: str) -> None:
    answer = client.generic("POST", ADDRESS, json.dumps(signed({})), content_type=kind)

    assert answer.status_code == 415


def test_a_charset_beside_the_type_does_no_harm(client: Client) -> None:
    body = signed(sample("opened")["event-data"])

    assert post(client, body, content_type="application/json; charset=utf-8").status_code == 200


def test_a_body_over_the_limit_is_refused_and_one_at_it_is_not(client: Client) -> None:
    body = signed(sample("opened")["event-data"])
    raw = json.dumps(body)

    assert post(client, raw + " " * (webhooks.BODY_LIMIT - len(raw))).status_code == 200
    assert post(client, raw + " " * (webhooks.BODY_LIMIT + 1 - len(raw))).status_code == 413
    assert len(rows()) == 1


def test_a_wrong_key_is_refused_and_heals(client: Client, settings: Any) -> None:
    body = signed(sample("delivered")["event-data"], key="the key of tomorrow")

    assert post(client, body).status_code == 401
    assert rows() == []
    settings.MAILGUN_WEBHOOK_SIGNING_KEY = "the key of tomorrow"
    assert post(client, body).status_code == 200


def test_an_empty_key_opens_nothing(client: Client, settings: Any) -> None:
    settings.MAILGUN_WEBHOOK_SIGNING_KEY = ""

    assert post(client, signed(sample("delivered")["event-data"], key="")).status_code == 401


def test_a_digit_cannot_move_between_timestamp_and_token(client: Client) -> None:
    body = signed(sample("delivered")["event-data"])
    block = body["signature"]
    post(client, body)

    for timestamp, token in (
        (block["timestamp"][:-1], block["timestamp"][-1] + block["token"]),
        (block["timestamp"] + block["token"][0], block["token"][1:]),
    ):
        moved = {**body, "signature": {**block, "timestamp": timestamp, "token": token}}
        assert post(client, moved).status_code == 401
    assert len(rows()) == 1


@pytest.mark.parametrize("token", ["x" * 49, "x" * 51, "é" * 50, "x" * 49 + " ", "x" * 49 + "\n", "٣" * 50])
def test_a_token_of_another_shape_is_refused_though_signed(client: Client, token: str) -> None:
    assert post(client, signed({}, token=token)).status_code == 401


@pytest.mark.parametrize(("hours", "status"), [(8.9, 200), (9.1, 406), (-0.08, 200), (-0.09, 401), (-20, 401)])
def test_the_age_is_checked_on_both_sides(client: Client, hours: float, status: int) -> None:
    """406 ends it: a stale post would stay stale. One ahead of our clock is sent again until the clocks agree."""
    answer = post(client, signed(sample("opened")["event-data"], moment=time.time() - hours * 3600))

    assert answer.status_code == status
    assert len(rows()) == (status == 200)


def test_a_repeated_token_is_answered_and_kept_once(client: Client) -> None:
    body = signed(sample("opened")["event-data"])
    other = {**body, "event-data": sample("complained")["event-data"]}

    assert [post(client, item).status_code for item in (body, body, other)] == [200, 200, 200]
    assert rows() == [("opened", "waiting")]


# --- Genuine, but useless -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        7,
        {},
        {"event": "stored", "id": "x", "timestamp": 1.8e9},
        {"event": "delivered", "timestamp": 1.8e9},
        {"event": "delivered", "id": "x", "timestamp": None},
        {"event": "delivered", "id": "x", "timestamp": True},
        {"event": "delivered", "id": "x", "timestamp": 10**300},
        {"event": ["delivered"], "id": "x", "timestamp": 1.8e9},
        {"event": "temporary_fail", "id": "x", "timestamp": 1.8e9},
    ],
)
def test_genuine_but_useless_posts_are_kept_and_ended(client: Client, woken: list[str], data: Any) -> None:
    assert post(client, signed(data)).status_code == 200

    row = EmailWebhookPost.objects.get()
    assert (row.state, row.body) == ("useless", data)
    assert row.last_error
    assert woken == []


def test_a_body_that_cannot_be_kept_leaves_its_trace(client: Client) -> None:
    body = signed("DATA")
    raw = json.dumps(body).replace('"DATA"', "[" * 700 + "]" * 700)

    assert post(client, raw).status_code == 200
    assert rows() == [("", "useless")]


@pytest.mark.django_db(transaction=True)
def test_what_postgresql_alone_refuses_leaves_its_trace(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "clean_values", lambda value: value)

    assert post(client, signed({**sample("opened")["event-data"], "city": "\0"})).status_code == 200
    assert rows() == [("", "useless")]


def test_odd_characters_are_thrown_out_and_the_event_is_kept(client: Client) -> None:
    data = {**sample("opened")["event-data"], "note": "a\0b\ud800c", "big": float("inf"), "number": 10**400}

    assert post(client, signed(data)).status_code == 200
    row = EmailWebhookPost.objects.get()
    assert row.state == "waiting"
    assert ((row.body or {})["note"], (row.body or {})["big"]) == ("abc", None)


# --- Our own trouble ------------------------------------------------------------------------------------


def test_a_database_that_is_away_is_our_trouble(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**values: Any) -> bool:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(inbox, "store", away)

    answer = post(client, signed(sample("opened")["event-data"]))

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


# --- Never 500 ------------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\0", "\ud800", "x" * 5_000, "delivered", "failed", "permanent", "bounce", "1795363200", "NaN"]),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**30), 2**63]),
    st.floats(),
    TEXTS,
)
SHAPES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
HOSTILE = {"max_examples": 50, "deadline": None, "suppress_health_check": list(HealthCheck)}


def shape_of(base: dict[str, Any]) -> Any:
    """The base with some of its values replaced by anything."""
    return st.dictionaries(st.sampled_from(sorted(base)), SHAPES, max_size=4).map(lambda changes: {**base, **changes})


@given(body=st.one_of(SHAPES, shape_of(signed({}))))
@hypothesis_settings(**HOSTILE)  # type: ignore[arg-type]
def test_no_unsigned_body_gets_in_or_makes_a_500(body: Any) -> None:
    answer = post(Client(), body)

    assert answer.status_code in (200, 401, 406)


@given(raw=st.binary(min_size=1, max_size=200))
@hypothesis_settings(**HOSTILE)  # type: ignore[arg-type]
def test_no_bytes_make_a_500(raw: bytes) -> None:
    assert post(Client(), raw).status_code == 401


@given(block=shape_of(signed({})["signature"]))
@hypothesis_settings(**HOSTILE)  # type: ignore[arg-type]
def test_no_signature_block_makes_a_500(block: Any) -> None:
    assert post(Client(), {"signature": block, "event-data": {}}).status_code in (200, 401, 406)


@given(
    data=st.one_of(
        SHAPES, *(shape_of(sample(name)["event-data"]) for name in ("delivered", "permanent_fail", "rejected"))
    )
)
@hypothesis_settings(**HOSTILE)  # type: ignore[arg-type]
def test_no_signed_event_makes_a_500_or_breaks_the_task(data: Any) -> None:
    assert post(Client(), signed(data)).status_code == 200

    assert inbox.apply_waiting().failed == 0
    assert not EmailWebhookPost.objects.filter(state="broken").exists()


@pytest.mark.parametrize(
    "raw",
    [" ", "null", "[]", '{"signature": null}', "[" * 100_000, '{"a":' * 50_000, "1" * 5_000, "\ufeff{}", "\udcff"],
)
def test_nonsense_is_not_verified(client: Client, raw: str) -> None:
    assert post(client, raw.encode("utf-8", "surrogatepass")).status_code == 401


@pytest.mark.parametrize("depth", [50, 200, 400, 700, 900])
def test_no_depth_breaks_view_or_task(client: Client, depth: int) -> None:
    job = make_job(status="sent", message_id=f"job-1.{secrets.token_hex(8)}@mail.thetechdeputies.example")
    raw = json.dumps(signed({**about(job, "delivered"), "flags": "DEEP"}))

    answer = post(client, raw.replace('"DEEP"', '{"a":' * depth + "1" + "}" * depth))

    assert answer.status_code in (200, 401)
    assert inbox.apply_waiting().failed == 0
