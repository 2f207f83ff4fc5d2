"""Claiming, sending and settling, against the stand-in over HTTP and a real database."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import F
from django.utils import timezone

from emails.models import EmailJob, EmailStatus
from emails.services import breaker, delivery, queue
from emails.services.outbox import enqueue_email
from emails.tests.factories import make_job, make_suppression, make_template
from sandbox.mailgun import StandIn, faults
from settings_app import crypto

pytestmark = pytest.mark.django_db


def age(job: EmailJob, **fields: timedelta) -> None:
    """Move the row's moments into the past."""
    EmailJob.objects.filter(pk=job.pk).update(**{name: F(name) - gap for name, gap in fields.items()})


def test_a_due_mail_is_sent_with_text_html_and_headers(mailgun: StandIn) -> None:
    job = enqueue_email(
        template="test_message",
        occasion="x:1",
        to="margaret@example.com",
        name='Margaret "Peg" Hill, Ünal',
        context={"asked_at": "Tuesday <now>"},
        attachments=[
            {"filename": "visit.ics", "content_type": "text/calendar; method=REQUEST", "content": "BEGIN:VCALENDAR\r\n"}
        ],
    )

    report = delivery.drain()

    job.refresh_from_db()
    mail = mailgun.last(to="margaret@example.com")
    assert (report.claimed, report.sent, report.has_more) == (1, 1, False)
    assert (job.status, job.last_error, job.retry_count) == ("sent", None, 0)
    assert job.sent_at is not None
    assert job.lease_until is None
    assert job.message_id == mail.message_id
    assert mail.message_id.startswith(f"job-{job.pk}.")
    assert mail.message_id.endswith("@mail.thetechdeputies.example")
    assert mail.to == ["margaret@example.com"]
    assert mail.subject == "Test email from The Tech Deputies"
    assert "Tuesday <now>" in mail.text
    assert "Tuesday &lt;now&gt;" in mail.html
    assert "Is this really us?" in mail.text
    assert "Is this really us?" in mail.html
    assert mail.headers["Auto-Submitted"] == "auto-generated"
    assert mail.variables == {"job_id": str(job.pk)}
    assert mail.tags == ["test_message", "service"]
    assert [(a.filename, a.content) for a in mail.attachments] == [("visit.ics", b"BEGIN:VCALENDAR\r\n")]
    assert "method=REQUEST" in mail.attachments[0].content_type.replace('"', "")


def test_security_mail_is_not_tracked_and_its_secrets_are_blanked(mailgun: StandIn) -> None:
    make_template(name="reset", subject="Your link", text_content="Press it: {{ button_url }}", stream="security")
    job = enqueue_email(
        template="reset",
        occasion="reset:1",
        to="margaret@example.com",
        context={"thing": "your password", "button_text": "Choose a new password"},
        secrets={"button_url": "https://example.com/reset/s3cret"},
    )

    delivery.drain()

    job.refresh_from_db()
    mail = mailgun.last()
    assert mail.options["o:tracking-opens"] == ["no"]
    assert mail.options["o:tracking-clicks"] == ["no"]
    assert "https://example.com/reset/s3cret" in mail.text
    assert 'href="https://example.com/reset/s3cret"' in mail.html
    assert "s3cret" not in json.dumps(mail.variables)
    assert job.content["secrets"] is None


def test_what_is_not_due_waits(mailgun: StandIn) -> None:
    job = make_job(available_at=timezone.now() + timedelta(minutes=5))

    assert delivery.drain().claimed == 0
    job.refresh_from_db()
    assert job.status == "queued"


def test_the_highest_priority_goes_first_then_the_oldest(mailgun: StandIn, settings: Any) -> None:
    settings.EMAIL_SENDER_THREADS = 1
    now = timezone.now()
    wanted = []
    for place, (priority, minutes) in enumerate(
        [("low", 90), ("normal", 5), ("critical", 1), ("high", 2), ("normal", 50)]
    ):
        job = make_job(
            priority=priority, available_at=now - timedelta(minutes=minutes), recipient_email=f"p{place}@example.com"
        )
        wanted.append(job.recipient_email)

    delivery.drain(batch_size=2)

    assert [mail.to[0] for mail in mailgun.messages()] == [f"p{place}@example.com" for place in (2, 3, 4, 1, 0)]


def test_every_tenth_claim_takes_the_oldest(mailgun: StandIn) -> None:
    old = make_job(priority="low", available_at=timezone.now() - timedelta(hours=2))
    for _ in range(20):
        make_job(priority="critical")
    places: list[int] = []
    claim = queue.claim

    def noted(**options: Any) -> list[Any]:
        jobs = claim(**options)
        places.extend(job.pk for job in jobs)
        return jobs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "claim", noted)
        delivery.drain(batch_size=1)

    assert places.index(old.pk) == 9


def test_the_worker_for_critical_mail_takes_nothing_else(mailgun: StandIn) -> None:
    make_job(priority="high")
    critical = make_job(priority="critical")

    assert delivery.drain(critical_only=True).sent == 1
    assert EmailJob.objects.get(status="sent").pk == critical.pk


def test_the_claim_reads_the_partial_index() -> None:
    sql = queue._CLAIM.format(columns=queue._COLUMNS, only="", order=f"{queue._RANK}, available_at, id")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(
            "EXPLAIN " + sql,
            {"token": "00000000-0000-0000-0000-000000000000", "lease": 1, "limit": 5, "domain": "example.com"},
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "email_job_claim" in plan


# --- What must not be sent ------------------------------------------------------------------------------


def test_an_expired_mail_is_cancelled_with_the_reason(mailgun: StandIn) -> None:
    job = make_job(expires_at=timezone.now() - timedelta(seconds=1), content={"context": {}, "secrets": "sealed"})

    delivery.drain()

    job.refresh_from_db()
    assert job.status == "cancelled"
    assert job.last_error is not None
    assert job.last_error.startswith("expired")
    assert job.content["secrets"] is None
    assert not mailgun.calls("messages")


@pytest.mark.parametrize(
    ("kind", "stream", "is_stopped"),
    [
        ("bounce", "security", True),
        ("bounce", "news", True),
        ("complaint", "security", False),
        ("complaint", "service", True),
        ("manual", "security", False),
        ("manual", "news", True),
        ("unsubscribe", "security", False),
        ("unsubscribe", "service", False),
        ("unsubscribe", "news", True),
    ],
)
def test_a_suppressed_address_gets_what_its_cause_allows(
    mailgun: StandIn, kind: str, stream: str, is_stopped: bool
) -> None:
    make_suppression(email="Margaret@Example.com", type=kind)
    job = make_job(recipient_email="margaret@example.com", stream=stream)

    delivery.drain()

    job.refresh_from_db()
    assert job.status == ("cancelled" if is_stopped else "sent")
    assert job.last_error == (f"suppressed: {kind}" if is_stopped else None)
    assert len(mailgun.calls("messages")) == (0 if is_stopped else 1)


def test_a_suppression_that_has_run_out_stops_nothing(mailgun: StandIn) -> None:
    make_suppression(email="margaret@example.com", expires_at=timezone.now() - timedelta(days=1))
    job = make_job(recipient_email="margaret@example.com")

    delivery.drain()

    job.refresh_from_db()
    assert job.status == "sent"


def test_a_template_that_cannot_be_filled_in_fails_at_once(mailgun: StandIn) -> None:
    make_template(name="broken", html_content="<p>{{ nobody_gave_this }}</p>")
    job = make_job(template_type="broken", content={"context": {"thing": "it"}})
    good = make_job()

    delivery.drain()

    job.refresh_from_db()
    good.refresh_from_db()
    assert job.status == "failed"
    assert "nobody_gave_this" in str(job.last_error)
    assert good.status == "sent"


def test_a_template_that_does_not_exist_fails_and_stops_nobody(mailgun: StandIn) -> None:
    job = make_job(template_type="gone")
    good = make_job()

    delivery.drain()

    job.refresh_from_db()
    good.refresh_from_db()
    assert (job.status, good.status) == ("failed", "sent")


def test_secrets_moved_from_another_row_do_not_open(mailgun: StandIn) -> None:
    sealed = crypto.encrypt('{"asked_at": "stolen"}', purpose="email:test_message:other")
    job = make_job(content={"context": {}, "secrets": sealed})

    delivery.drain()

    job.refresh_from_db()
    assert job.status == "failed"
    assert not mailgun.messages()


def test_a_mail_switched_off_by_staff_is_cancelled(mailgun: StandIn) -> None:
    make_template(name="off", is_active=False)
    job = make_job(template_type="off", content={"context": {"thing": "it"}})

    delivery.drain()

    job.refresh_from_db()
    assert job.status == "cancelled"


# --- Answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_refusal_for_good_fails_at_once(mailgun: StandIn, code: int) -> None:
    job = make_job()
    mailgun.answers(code)

    delivery.drain()

    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("failed", 0)
    assert str(code) in str(job.last_error)


@pytest.mark.parametrize("fault", [401, 402, 403, 404, faults.magnificent(), faults.not_json()])
def test_a_fault_of_the_configuration_keeps_everything_queued(mailgun: StandIn, fault: Any) -> None:
    jobs = [make_job() for _ in range(20)]
    mailgun.always(fault)

    delivery.drain(batch_size=5)

    assert EmailJob.objects.filter(status="queued", retry_count=0).count() == len(jobs)
    assert breaker.is_paused()
    # No more posts than threads were in flight when the first answer came.
    assert len(mailgun.calls("messages")) <= 8
    assert delivery.drain().claimed == 0


def test_after_a_fault_one_mail_is_tried_first(mailgun: StandIn) -> None:
    breaker.misconfigured("401: Forbidden")
    breaker.cache.delete("mail:pause")
    breaker._paused_until = 0.0
    for _ in range(3):
        make_job()
    sizes = []
    claim = queue.claim

    def noted(**options: Any) -> list[Any]:
        sizes.append(options["limit"])
        return claim(**options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "claim", noted)
        report = delivery.drain(batch_size=32)

    assert report.sent == 3
    assert sizes == [1, 32]


def test_too_fast_pauses_everybody_and_uses_no_try(mailgun: StandIn) -> None:
    job = make_job()
    mailgun.answers(faults.too_many(7))

    delivery.drain()
    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("queued", 0)
    wait = (job.available_at - timezone.now()).total_seconds()
    assert 5 < wait <= 7
    assert breaker.is_paused()

    breaker.reset()
    age(job, available_at=timedelta(seconds=8))
    delivery.drain()
    job.refresh_from_db()
    assert job.status == "sent"


def test_a_refused_connection_uses_no_try(mailgun: StandIn) -> None:
    job = make_job()
    with mailgun.refusing():
        delivery.drain()
    job.refresh_from_db()

    assert (job.status, job.retry_count) == ("queued", 0)
    assert job.available_at > timezone.now()

    age(job, available_at=timedelta(minutes=1))
    delivery.drain()
    assert len(mailgun.messages()) == 1


def test_five_refused_connections_in_a_row_stop_the_workers(mailgun: StandIn, settings: Any) -> None:
    settings.EMAIL_SENDER_THREADS = 1
    for _ in range(9):
        make_job()
    with mailgun.refusing():
        delivery.drain(batch_size=3)

    assert breaker.is_paused()
    assert EmailJob.objects.filter(status="queued", retry_count=0).count() == 9
    assert EmailJob.objects.filter(last_error__startswith="No connection").count() == 5


UNSURE = {
    "accept then reset": faults.accept_then_reset(),
    "accept then 500": faults.accept_then(500),
    "accept then 502": faults.accept_then(502),
    "accept then silence": faults.slow(3),
}


@pytest.mark.parametrize("fault", UNSURE.values(), ids=UNSURE.keys())
def test_an_accepted_mail_whose_answer_is_lost_is_looked_up_and_not_repeated(mailgun: StandIn, fault: Any) -> None:
    job = make_job()
    mailgun.answers(fault)

    delivery.drain()
    job.refresh_from_db()
    assert job.status == "sending"
    assert delivery.drain().claimed == 0
    assert delivery.recover() == 0  # too early to ask

    age(job, lease_until=timedelta(seconds=61), last_attempt_at=timedelta(seconds=61))
    assert delivery.recover() == 1
    job.refresh_from_db()
    assert (job.status, job.retry_count, job.last_error) == ("sent", 0, None)
    assert job.sent_at is not None
    assert delivery.drain().claimed == 0
    assert len(mailgun.messages()) == 1


@pytest.mark.parametrize("fault", [faults.reset(), faults.status(500), faults.status(503)])
def test_a_mail_that_mailgun_does_not_know_is_sent_again(mailgun: StandIn, fault: Any) -> None:
    job = make_job()
    mailgun.answers(fault)

    delivery.drain()
    age(job, lease_until=timedelta(seconds=61), last_attempt_at=timedelta(seconds=61))
    delivery.recover()
    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("queued", 1)
    first_id = job.message_id
    assert 40 < (job.available_at - timezone.now()).total_seconds() < 80

    age(job, available_at=timedelta(minutes=2))
    delivery.drain()
    job.refresh_from_db()
    assert job.status == "sent"
    assert job.message_id == first_id
    assert len(mailgun.messages()) == 1


def test_a_mail_is_given_up_after_its_tries(mailgun: StandIn) -> None:
    job = make_job(retry_count=3, max_retries=3, content={"context": {"asked_at": "now"}, "secrets": None})
    mailgun.answers(500)

    delivery.drain()
    age(job, lease_until=timedelta(seconds=61))
    delivery.recover()

    job.refresh_from_db()
    assert job.status == "failed"
    assert "Given up after 4 tries" in str(job.last_error)


def test_without_a_read_key_an_unsure_mail_is_sent_again(mailgun: StandIn, settings: Any) -> None:
    settings.MAILGUN_READ_API_KEY = ""
    job = make_job()
    mailgun.answers(500)

    delivery.drain()

    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("queued", 1)


@pytest.mark.parametrize("answer", [500, 401, faults.not_json(), faults.reset()])
def test_while_mailgun_cannot_be_asked_the_mail_is_held(mailgun: StandIn, answer: Any) -> None:
    job = make_job()
    mailgun.answers(faults.accept_then(500))
    mailgun.answers(answer, on="logs")

    delivery.drain()
    age(job, lease_until=timedelta(seconds=61), last_attempt_at=timedelta(seconds=61))
    assert delivery.recover() == 0
    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("sending", 0)

    age(job, lease_until=timedelta(seconds=61))
    assert delivery.recover() == 1
    job.refresh_from_db()
    assert job.status == "sent"


def test_after_a_quarter_of_an_hour_without_an_answer_it_is_sent_again(mailgun: StandIn) -> None:
    job = make_job()
    mailgun.answers(500)
    mailgun.always(500, on="logs")

    delivery.drain()
    age(job, lease_until=timedelta(minutes=16), last_attempt_at=timedelta(minutes=16))
    delivery.recover()

    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("queued", 1)


def test_the_gaps_between_tries_grow_and_are_jittered() -> None:
    for retries, middle in ((1, 60), (2, 480), (3, 3840)):
        gaps = {delivery.back_off(retries) for _ in range(50)}
        assert len(gaps) > 40
        assert middle * 0.75 <= min(gaps) <= max(gaps) <= middle * 1.25


# --- Many at once ---------------------------------------------------------------------------------------


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

    late = queue.Outcome(mine.pk, mine.lease_token, EmailStatus.FAILED, "late")
    assert queue.settle([late]) == 0
    job.refresh_from_db()
    assert job.status == "sending"
    assert queue.settle([queue.Outcome(theirs.pk, theirs.lease_token, EmailStatus.SENT)]) == 1


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
