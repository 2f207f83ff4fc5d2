"""Many workers at once, and workers out of time."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from emails.models import EmailJob, EmailStatus
from emails.services import delivery, queue, settling
from emails.tests.factories import age, make_job
from sandbox.mailgun import StandIn

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_drains_at_once_send_each_mail_once(mailgun: StandIn) -> None:
    jobs = [make_job() for _ in range(120)]
    start = threading.Barrier(3)

    def run() -> None:
        try:
            start.wait(timeout=10)
            delivery.drain(batch_size=7)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    received = Counter(mail.to[0] for mail in mailgun.messages())
    assert received == Counter(job.recipient_email for job in jobs)
    assert EmailJob.objects.filter(status="sent").count() == 120


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_mailgun_is_spoken_to(mailgun: StandIn) -> None:
    make_job()
    open_transactions: list[int] = []

    def look() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND state LIKE 'idle in%%'"
            )
            open_transactions.append(cursor.fetchone()[0])
        connection.close()

    def rule() -> None:
        look()

    mailgun.always(rule)
    try:
        assert delivery.drain().sent == 1
    finally:
        mailgun.always(None)

    assert open_transactions == [0]


def test_a_worker_whose_lease_was_taken_over_changes_nothing(mailgun: StandIn) -> None:
    job = make_job()
    (mine,) = queue.claim(limit=1)
    age(job, lease_until=timedelta(minutes=5))
    (theirs,) = queue.take_over(limit=1)

    late = queue.Outcome(mine.id, mine.lease_token, EmailStatus.FAILED, "late")
    assert queue.settle([late]) == 0
    job.refresh_from_db()
    assert job.status == "sending"
    assert queue.settle([queue.Outcome(theirs.id, theirs.lease_token, EmailStatus.SENT)]) == 1


def test_a_run_out_of_time_hands_back_what_it_holds(mailgun: StandIn) -> None:
    make_job()

    report = delivery.drain(seconds=0)

    assert report.has_more
    assert EmailJob.objects.get().status == "queued"
    assert not mailgun.calls("messages")


def test_connections_are_kept_and_shared(mailgun: StandIn, settings: Any) -> None:
    settings.EMAIL_SENDER_THREADS = 4
    for _ in range(60):
        make_job()
    before = mailgun.connections

    assert delivery.drain(batch_size=20).sent == 60
    assert mailgun.connections - before <= 4


def test_a_late_yes_of_mailgun_keeps_the_mail_from_going_out_again(mailgun: StandIn) -> None:
    job = make_job()
    (mine,) = queue.claim(limit=1)
    age(job, lease_until=timedelta(minutes=5))
    (theirs,) = queue.take_over(limit=1)
    queue.settle([queue.Outcome(theirs.id, theirs.lease_token, EmailStatus.QUEUED, "not known", retries=1)])

    assert queue.settle([queue.Outcome(mine.id, mine.lease_token, EmailStatus.SENT, template_version=3)]) == 1

    job.refresh_from_db()
    assert (job.status, job.last_error, job.template_version) == ("sent", None, 3)
    assert delivery.drain().claimed == 0


@pytest.mark.parametrize("status", ["delivered", "opened", "failed", "bounced", "complained"])
def test_the_answer_never_takes_back_what_an_event_has_told(mailgun: StandIn, status: str) -> None:
    job = make_job(content={"context": {}, "secrets": "sealed"})
    (mine,) = queue.claim(limit=1)
    EmailJob.objects.filter(pk=job.pk).update(status=status, last_error="said by an event", lease_token=None)

    queue.settle([queue.Outcome(mine.id, mine.lease_token, EmailStatus.SENT, template_version=3)])

    job.refresh_from_db()
    assert (job.status, job.last_error, job.template_version) == (status, "said by an event", 3)
    assert job.sent_at is not None
    assert job.content["secrets"] is None


def test_outcomes_survive_a_database_that_goes_away(mailgun: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()
    settle = queue.settle
    tries: list[int] = []

    def restarting(outcomes: list[Any]) -> int:
        tries.append(len(outcomes))
        if len(tries) < 3:
            raise OperationalError("terminating connection due to administrator command")
        return settle(outcomes)

    monkeypatch.setattr(queue, "settle", restarting)
    monkeypatch.setattr(settling, "SETTLE_AGAIN_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(settling, "connection", SimpleNamespace(in_atomic_block=False, close=lambda: None))

    assert delivery.drain().sent == 1
    job.refresh_from_db()
    assert (job.status, tries) == ("sent", [1, 1, 1])


def test_a_claim_that_fails_leaves_no_answer_behind(mailgun: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        make_job()
    claim = queue.claim
    calls: list[int] = []

    def second_fails(**options: Any) -> list[queue.Job]:
        calls.append(1)
        if len(calls) == 2:
            raise OperationalError("the database system is starting up")
        return claim(**options)

    monkeypatch.setattr(queue, "claim", second_fails)
    with pytest.raises(OperationalError):
        delivery.drain(batch_size=2)

    assert EmailJob.objects.filter(status="sent").count() == 2
    assert EmailJob.objects.filter(status="queued").count() == 2
