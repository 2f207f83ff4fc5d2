"""Posts over real HTTP, and many at the same moment."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, connections
from django.test import Client

from emails.models import EmailDeliveryEvent, EmailJob, EmailStatus, EmailSuppression, EmailWebhookPost
from emails.services import delivery, events, inbox, queue
from emails.services.queue import Outcome
from emails.tests.factories import make_job
from emails.tests.posts import ADDRESS, KEY, about, event, post, signed
from sandbox.mailgun import StandIn

pytestmark = pytest.mark.django_db(transaction=True)

WAIT_SECONDS = 20.0


@pytest.fixture(autouse=True)
def _key(settings: Any) -> None:
    settings.MAILGUN_WEBHOOK_SIGNING_KEY = KEY


def at_once(act: Callable[[int], Any], number: int) -> list[Any]:
    """``act`` in so many threads, each with a connection of its own; what each returned or raised."""
    gate = threading.Barrier(number)
    outcomes: list[Any] = [None] * number

    def run(place: int) -> None:
        try:
            gate.wait(WAIT_SECONDS)
            outcomes[place] = act(place)
        except Exception as error:
            outcomes[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAIT_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


def mail(**fields: Any) -> EmailJob:
    return make_job(**{"status": "sent", "message_id": "job-1.00ff@mail.thetechdeputies.example", **fields})


# --- Over HTTP ------------------------------------------------------------------------------------------


@pytest.fixture
def loud_mailgun(live_server: Any, settings: Any) -> Iterator[StandIn]:
    """A Mailgun that posts what happens to the product."""
    with StandIn(webhook_url=f"{live_server.url}{ADDRESS}", retry_seconds=(0.05, 0.05, 0.05)) as server:
        settings.MAILGUN_API_URL = server.url
        settings.MAILGUN_SENDER_DOMAIN = server.config.domain
        settings.ANYMAIL = {**server.anymail, "REQUESTS_TIMEOUT": (1, 1)}
        yield server


def test_a_mail_goes_its_whole_way(loud_mailgun: StandIn) -> None:
    job = make_job()
    delivery.drain()
    sent = loud_mailgun.last(job.recipient_email)

    for kind in ("delivered", "opened", "clicked", "complained"):
        loud_mailgun.happen(sent, kind)
    assert loud_mailgun.wait_for_webhooks()
    inbox.apply_waiting()

    job.refresh_from_db()
    kinds = set(job.delivery_events.values_list("event_type", flat=True))
    assert kinds == {"accepted", "delivered", "opened", "clicked", "complained"}
    assert job.status == "complained"
    assert None not in (job.sent_at, job.delivered_at, job.opened_at, job.clicked_at, job.complained_at)
    assert EmailSuppression.objects.get().type == "complaint"
    assert set(EmailWebhookPost.objects.values_list("state", flat=True)) == {"applied"}


@pytest.mark.parametrize(
    ("kind", "status"), [("permanent_fail", "bounced"), ("temporary_fail", "sent"), ("unsubscribed", "sent")]
)
def test_what_mailgun_posts_is_understood(loud_mailgun: StandIn, kind: str, status: str) -> None:
    job = make_job()
    delivery.drain()
    loud_mailgun.happen(loud_mailgun.last(), kind)
    assert loud_mailgun.wait_for_webhooks()
    inbox.apply_waiting()

    job.refresh_from_db()
    assert job.status == status


def test_a_post_that_comes_before_the_senders_own_commit_is_not_undone(
    loud_mailgun: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events are applied between Mailgun's answer and the settling of the row."""
    job = make_job()
    real = queue.settle

    def settle(outcomes: list[Outcome]) -> int:
        loud_mailgun.happen(loud_mailgun.last(), "delivered")
        loud_mailgun.wait_for_webhooks()
        inbox.apply_waiting()
        return real(outcomes)

    monkeypatch.setattr(queue, "settle", settle)
    delivery.drain()
    monkeypatch.undo()
    delivery.drain()

    job.refresh_from_db()
    assert job.status == "delivered"
    assert len(loud_mailgun.messages()) == 1


def test_a_wrong_key_heals_by_mailguns_retries(loud_mailgun: StandIn, settings: Any) -> None:
    settings.MAILGUN_WEBHOOK_SIGNING_KEY = "an old key"
    make_job()
    delivery.drain()
    settings.MAILGUN_WEBHOOK_SIGNING_KEY = KEY
    assert loud_mailgun.wait_for_webhooks()

    assert EmailWebhookPost.objects.filter(event_type="accepted").count() == 1


def test_a_body_over_the_limit_is_refused_over_http(live_server: Any) -> None:
    address = urlsplit(live_server.url)
    line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=WAIT_SECONDS)
    line.putrequest("POST", ADDRESS)
    line.putheader("Content-Type", "application/json")
    line.putheader("Content-Length", str(50_000_000))
    line.endheaders()
    line.send(b" " * 1_100_000)

    assert line.getresponse().status == 413
    line.close()


# --- At the same moment ---------------------------------------------------------------------------------


def test_one_post_twenty_times_at_once_is_one_row_and_one_effect() -> None:
    job = mail()
    body = signed(about(job, "delivered"))

    answers = at_once(lambda _place: post(Client(), body).status_code, 20)
    at_once(lambda _place: inbox.apply_waiting(), 4)

    job.refresh_from_db()
    assert answers == [200] * 20
    assert EmailWebhookPost.objects.count() == EmailDeliveryEvent.objects.count() == 1
    assert job.status == "delivered"


def test_without_the_unique_token_it_would_be_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: looking first and writing then keeps every copy."""
    body = signed(about(mail(), "delivered"))
    gate = threading.Barrier(6)

    def look_first(*, token: str, body: str, event_type: str, state: Any, error: str) -> bool:
        known = EmailWebhookPost.objects.filter(token=token).exists()
        gate.wait(WAIT_SECONDS)
        if not known:
            EmailWebhookPost.objects.create(token=token, body=json.loads(body), event_type=event_type)
        return not known

    monkeypatch.setattr(inbox, "store", look_first)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'email_webhook_posts'::regclass AND contype = 'u'"
        )
        ((name, definition),) = cursor.fetchall()
        cursor.execute(f'ALTER TABLE email_webhook_posts DROP CONSTRAINT "{name}"')
    try:
        at_once(lambda _place: post(Client(), body).status_code, 6)
        assert EmailWebhookPost.objects.count() == 6
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE email_webhook_posts")
            cursor.execute(f'ALTER TABLE email_webhook_posts ADD CONSTRAINT "{name}" {definition}')


def test_all_events_of_a_mail_at_once_give_the_row_of_their_set() -> None:
    job = mail(status="queued", sent_at=None)
    names = ("accepted", "delivered", "opened", "clicked", "permanent_fail", "complained", "unsubscribed")
    bodies = [signed(about(job, name, second=place)) for place, name in enumerate(names)] * 2

    at_once(lambda place: post(Client(), bodies[place]).status_code, len(bodies))
    for _ in range(20):
        EmailWebhookPost.objects.filter(state="waiting").update(available_at="2026-01-01T00:00:00Z")
        outcomes = at_once(lambda _place: inbox.apply_waiting(), 4)
        assert all(outcome.failed == 0 for outcome in outcomes)
        if not EmailWebhookPost.objects.filter(state="waiting").exists():
            break

    job.refresh_from_db()
    assert job.status == "complained"
    assert EmailDeliveryEvent.objects.count() == len(names)
    assert job.sent_at == events.parse(bodies[0]["event-data"]).moment
    assert EmailSuppression.objects.get().type == "bounce"


def test_one_event_under_many_tokens_acts_once() -> None:
    job = mail()
    data = about(job, "opened")
    parsed = events.parse(data)

    outcomes = at_once(lambda _place: events.apply_event(job_id=job.pk, event=parsed), 8)

    assert sorted(outcomes) == [False] * 7 + [True]


def test_a_mail_in_a_senders_hands_is_passed_over_and_comes_again() -> None:
    job, other = mail(), make_job(status="sent", message_id="job-2.00ff@mail.thetechdeputies.example")
    for row in (job, other):
        assert post(Client(), signed(about(row, "delivered"))).status_code == 200
    held, done = threading.Event(), threading.Event()

    def hold(place: int) -> Any:
        if place == 0:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT 1 FROM email_jobs WHERE id = %s FOR UPDATE", [job.pk])
                held.set()
                done.wait(WAIT_SECONDS)
                cursor.execute("ROLLBACK")
            return None
        held.wait(WAIT_SECONDS)
        try:
            return inbox.apply_waiting()
        finally:
            done.set()

    report = at_once(hold, 2)[1]

    assert (report.claimed, report.applied, report.failed) == (2, 1, 0)
    EmailWebhookPost.objects.filter(state="waiting").update(available_at="2026-01-01T00:00:00Z")
    assert inbox.apply_waiting().applied == 1
    assert set(EmailJob.objects.values_list("status", flat=True)) == {EmailStatus.DELIVERED}


def test_the_text_of_the_latest_failure_wins_whoever_comes_first() -> None:
    job = mail()
    failures = [event(job, "temporary_fail", second=place, reason=f"r{place}") for place in range(8)]

    at_once(lambda place: events.apply_event(job_id=job.pk, event=failures[place]), 8)

    job.refresh_from_db()
    assert (job.last_error or "").startswith("r7:")
