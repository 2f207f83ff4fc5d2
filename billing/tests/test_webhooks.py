"""The door for Stripe's events: what is let in, what it costs, and that nothing makes it fall over."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.db import DatabaseError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.tests.factories import make_user
from accounts.tests.helpers import race
from billing import webhooks
from billing.models import StripeEvent
from billing.services import events, inbox, missed
from billing.tests.crashes import without_constraint
from billing.tests.posts import ADDRESS, SECRET, STORY, an_event, post, sample, signature, states
from techdeputies.lib import waking

pytestmark = pytest.mark.django_db

HANDLED = set(events.LOOKS)


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that were asked for."""
    names: list[str] = []
    monkeypatch.setattr(waking, "send_task", lambda name, **options: names.append(name))
    waking.forget_faults()
    waking.begun(inbox.APPLY_TASK)
    return names


# --- What is let in -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STORY)
def test_each_event_of_the_story_is_kept(client: Client, name: str) -> None:
    body = sample(name)

    assert post(client, body).status_code == 200

    row = StripeEvent.objects.get()
    thing = body["data"]["object"]
    assert (row.event_id, row.event_type, row.object_id) == (body["id"], body["type"], thing["id"])
    assert row.happened_at.timestamp() == body["created"]
    assert (row.api_version, row.livemode, row.source) == (body["api_version"], False, "post")
    assert row.state == ("waiting" if body["type"] in HANDLED else "ignored")
    assert (row.processed_at is None) == (row.state == "waiting")
    assert row.payload["data"]["object"]["id"] == thing["id"]  # type: ignore[index]


def test_the_story_twice_and_in_reverse_with_wrong_signatures_between(client: Client) -> None:
    bodies = [json.dumps(sample(name)) for name in STORY]

    for order in (bodies, bodies, bodies[::-1]):
        for body in order:
            assert post(client, body, secret="whsec_wrong").status_code == 400
            assert post(client, body).status_code == 200

    assert [event_type for event_type, _state in states()] == [sample(name)["type"] for name in STORY]


def test_both_addresses_answer_and_neither_redirects(client: Client) -> None:
    for address in (ADDRESS, ADDRESS + "/"):
        assert post(client, an_event(), address=address).status_code == 200


def test_a_post_needs_no_session_and_leaves_no_cookie() -> None:
    answer = post(Client(enforce_csrf_checks=True), an_event())

    assert answer.status_code == 200
    assert not answer.cookies


@pytest.mark.parametrize("body", ["known", "new"])
def test_a_post_costs_one_statement(client: Client, body: str, django_capture_on_commit_callbacks: Any) -> None:
    known = an_event()
    post(client, known)

    with CaptureQueriesContext(connection) as seen, django_capture_on_commit_callbacks(execute=True):
        post(client, known if body == "known" else an_event())

    assert [query["sql"].split()[0] for query in seen.captured_queries] == ["INSERT"]


def test_a_forgery_costs_none(client: Client) -> None:
    with CaptureQueriesContext(connection) as seen:
        assert post(client, an_event(), secret="whsec_wrong").status_code == 400

    assert seen.captured_queries == []


def test_the_worker_is_asked_for_once_and_for_what_needs_something(
    client: Client, woken: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        post(client, an_event("product.created"))
    assert woken == []
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(3):
            post(client, an_event())

    assert woken == [inbox.APPLY_TASK]


def test_a_dead_broker_loses_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def dead(name: str, **options: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(waking, "send_task", dead)

    with django_capture_on_commit_callbacks(execute=True):
        assert post(client, an_event()).status_code == 200

    assert len(states()) == 1


@pytest.mark.parametrize("place", [0, 1])
def test_each_of_our_secrets_counts_while_they_are_changed(client: Client, settings: Any, place: int) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_old", "whsec_new"]

    assert post(client, an_event(), secret=settings.STRIPE_WEBHOOK_SECRETS[place]).status_code == 200
    assert post(client, an_event(), secret=SECRET).status_code == 400


def test_each_signature_of_a_post_counts(client: Client) -> None:
    """Stripe signs with both secrets while one is rolled."""
    body = json.dumps(an_event())
    moment, ours = signature(body).split(",")

    assert post(client, body, header=f"{moment},v1={'0' * 64},{ours},v0=abc").status_code == 200


def test_an_unknown_type_is_kept_and_done(client: Client) -> None:
    assert post(client, an_event("treasury.something_new")).status_code == 200

    assert states() == [("treasury.something_new", "ignored")]


def test_a_thing_without_an_id_is_kept_where_nothing_acts_on_it(client: Client) -> None:
    body = an_event("balance.available", data={"object": {"object": "balance"}})

    assert post(client, body).status_code == 200
    assert StripeEvent.objects.get().object_id == ""


def test_a_repeat_is_answered_and_kept_once(client: Client, woken: list[str]) -> None:
    body = an_event()
    other = {**body, "type": "customer.deleted"}

    assert [post(client, item).status_code for item in (body, body, other)] == [200, 200, 200]
    assert states() == [(body["type"], "waiting")]


def test_nobody_is_named_in_what_is_kept(client: Client) -> None:
    for name in STORY:
        post(client, sample(name))

    kept = " ".join(json.dumps(row.payload) for row in StripeEvent.objects.all())
    assert "@" not in kept
    assert "stripe.com" not in kept
    assert "customer_details" not in kept


# --- What is refused ------------------------------------------------------------------------------------


def test_only_posts_are_taken(client: Client) -> None:
    assert client.get(ADDRESS).status_code == 405
    assert client.put(ADDRESS, "{}", "application/json").status_code == 405


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
def test_only_json_is_taken(client: Client, kind: str) -> None:
    body = json.dumps(an_event())

    answer = client.generic("POST", ADDRESS, body, kind, headers={"Stripe-Signature": signature(body)})

    assert answer.status_code == 415
    assert states() == []


def test_a_body_over_the_limit_is_refused_and_one_at_it_is_not(client: Client) -> None:
    text = json.dumps(an_event())

    assert post(client, text + " " * (webhooks.BODY_LIMIT - len(text))).status_code == 200
    assert post(client, text + " " * (webhooks.BODY_LIMIT + 1 - len(text))).status_code == 413
    assert len(states()) == 1


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, 200), (290, 200), (310, 400), (3 * 86_400, 400), (-290, 200), (-310, 400), (-600, 400)]
)
def test_the_age_is_bounded_on_both_sides(client: Client, seconds: int, status: int) -> None:
    answer = post(client, an_event(), moment=time.time() - seconds)

    assert answer.status_code == status
    assert len(states()) == (status == 200)


def test_a_changed_body_or_moment_is_refused(client: Client) -> None:
    body = json.dumps(an_event())
    header = signature(body)
    moment, ours = header.split(",")

    assert post(client, body + " ", header=header).status_code == 400
    assert post(client, body, header=f"t={int(moment[2:]) - 1},{ours}").status_code == 400
    assert states() == []


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        "t=1",
        "v1=" + "0" * 64,
        "t=abc,v1=" + "0" * 64,
        "t=-5,v1=" + "0" * 64,
        "t=" + "9" * 40 + ",v1=00",
        "t=٣٣,v1=00",
        "t=1795000000,v1=é",
        "t=1795000000,v0=" + "0" * 64,
        "v1==,t==",
        ",,,",
        "t=1 ,v1=0",
    ],
)
def test_no_header_opens_or_breaks_the_door(client: Client, header: str) -> None:
    assert post(client, an_event(), header=header).status_code == 400
    assert states() == []


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_nothing_is_let_in(client: Client, settings: Any, secrets: list[str]) -> None:
    body = json.dumps(an_event())
    settings.STRIPE_WEBHOOK_SECRETS = secrets

    assert post(client, body, header=signature(body, secret="")).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"object": "v2.core.event"},
        {"object": None},
        {"id": None},
        {"id": ""},
        {"id": "evt\0"},
        {"id": "x" * 256},
        {"type": 5},
        {"type": "x" * 101},
        {"created": "now"},
        {"created": True},
        {"created": -1},
        {"created": 10**30},
        {"livemode": None},
        {"livemode": "false"},
        {"data": None},
        {"data": {}},
        {"data": {"object": []}},
        {"data": {"object": {}}},
        {"data": {"object": {"id": None}}},
        {"data": {"object": {"id": 7}}},
        {"api_version": 7},
        {"api_version": "x" * 41},
    ],
)
def test_a_genuine_post_that_is_no_event_is_refused(client: Client, change: dict[str, Any]) -> None:
    """Thin events too: they are another payload (facts, §4)."""
    assert post(client, {**an_event(), **change}).status_code == 400
    assert states() == []


@pytest.mark.parametrize("text", [" ", "null", "[]", "7", '"text"', "{", "[" * 100_000, '{"a":' * 40_000])
def test_genuine_nonsense_is_refused(client: Client, text: str) -> None:
    assert post(client, text).status_code == 400


@pytest.mark.parametrize("depth", [50, 200, 500, 900, 5_000])
def test_no_depth_breaks_the_door(client: Client, depth: int) -> None:
    text = json.dumps(an_event(extra="DEEP")).replace('"DEEP"', '{"a":' * depth + "1" + "}" * depth)

    assert post(client, text).status_code in (200, 400)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("odd", ["a\0b", "\ud800", float("inf"), float("nan")])
def test_an_event_whose_payload_postgresql_refuses_is_kept_without_it(client: Client, odd: Any) -> None:
    assert post(client, an_event(data={"object": {"id": "sub_1", "note": odd}})).status_code == 200

    row = StripeEvent.objects.get()
    assert (row.payload, row.state, row.object_id) == (None, "waiting", "sub_1")


@pytest.mark.django_db(transaction=True)
def test_numbers_beyond_all_bounds_break_nothing(client: Client) -> None:
    text = json.dumps(an_event(big=10**400, more="MORE")).replace('"MORE"', "1e999")

    assert post(client, text).status_code == 200


# --- Our own trouble ------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [OperationalError, DatabaseError])
def test_a_database_that_is_away_is_our_trouble_and_what_was_missed_is_fetched(
    client: Client, monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]
) -> None:
    def away(*args: Any, **values: Any) -> bool:
        raise trouble("the connection is lost")

    missed.had_outage()
    monkeypatch.setattr(inbox, "store", away)

    answer = post(client, an_event())

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert missed.had_outage()


def test_a_storm_of_forgeries_writes_one_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    webhooks._told_at.clear()

    for _ in range(20):
        post(client, an_event(), secret="whsec_wrong")

    assert len([record for record in caplog.records if "stripe_post_refused" in record.getMessage()]) == 1


# --- Never 500 ------------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["\0", "\ud800", "x" * 5_000, "event", "invoice.paid", "customer.deleted"])
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from([10**400, -(10**30), 2**63]), st.floats(), TEXTS
)
SHAPES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
HOSTILE = {"max_examples": 60, "deadline": None, "suppress_health_check": list(HealthCheck)}


@pytest.mark.django_db(transaction=True)
@given(
    changes=st.dictionaries(st.sampled_from(sorted(an_event())), SHAPES, max_size=4),
    thing=st.dictionaries(st.sampled_from(["id", "object", "status", "metadata"]), SHAPES, max_size=3),
)
@hypothesis_settings(**HOSTILE)  # type: ignore[arg-type]
def test_no_signed_shape_makes_a_500(changes: dict[str, Any], thing: dict[str, Any]) -> None:
    body = {**an_event(data={"object": {"id": "sub_1", **thing}}), **changes}

    assert post(Client(), body).status_code in (200, 400)


@given(raw=st.binary(min_size=1, max_size=200), header=TEXTS.filter(lambda text: text.isprintable()))
@hypothesis_settings(**HOSTILE)  # type: ignore[arg-type]
def test_no_bytes_make_a_500(raw: bytes, header: str) -> None:
    answer = Client().post(
        ADDRESS, raw, "application/json", headers={"Stripe-Signature": header.encode("utf-8", "replace").decode()}
    )

    assert answer.status_code == 400


# --- At the same moment ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_one_event_sixteen_times_at_once_is_kept_once() -> None:
    body = an_event()

    answers = race(lambda _place: post(Client(), body).status_code, range(16))

    assert answers == [200] * 16
    assert len(states()) == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_rule_it_would_be_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: looking first and writing then keeps several copies."""
    body = an_event()

    def look_first(event: Any, **options: Any) -> bool:
        known = StripeEvent.objects.filter(event_id=event.event_id).exists()
        time.sleep(0.3)
        if not known:
            StripeEvent.objects.create(
                event_id=event.event_id, event_type=event.event_type, happened_at="2026-01-01T00:00Z", livemode=False
            )
        return not known

    monkeypatch.setattr(inbox, "store", look_first)
    with connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = 'stripe_events'::regclass AND contype = 'u'")
        ((name,),) = cursor.fetchall()
    with without_constraint("stripe_events", name):
        race(lambda _place: post(Client(), body).status_code, range(6))
        assert StripeEvent.objects.count() > 1


# --- Over HTTP ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_body_over_the_limit_is_refused_over_http(live_server: Any) -> None:
    make_user()
    address = urlsplit(live_server.url)
    line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    line.putrequest("POST", ADDRESS)
    line.putheader("Content-Type", "application/json")
    line.putheader("Stripe-Signature", f"t={int(time.time())},v1={'0' * 64}")
    line.putheader("Content-Length", "50000000")
    line.endheaders()
    line.send(b" " * 300_000)

    assert line.getresponse().status == 413
    line.close()
    cache.delete(waking.key(inbox.APPLY_TASK))
