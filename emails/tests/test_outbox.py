"""Queueing a mail."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from emails.exceptions import InvalidRecipient, UnknownTemplate
from emails.models import EmailJob, EmailStatus
from emails.services import delivery, queue
from emails.services.outbox import bare_address, cancel_emails, cancel_emails_to, enqueue_email, one_line
from emails.tests.factories import make_job, make_template
from settings_app import crypto
from settings_app.exceptions import CannotDecrypt
from techdeputies.lib import waking

pytestmark = pytest.mark.django_db

WHEN = {"asked_at": "Tuesday, December 1 at 10:00 AM"}


def enqueue(**fields: Any) -> EmailJob:
    values: dict[str, Any] = {
        "template": "test_message",
        "occasion": "cause:1:1",
        "to": "margaret@example.com",
        "name": "Margaret",
        "context": WHEN,
    }
    return enqueue_email(**{**values, **fields})


def test_a_mail_is_one_row_with_its_rendered_subject() -> None:
    job = EmailJob.objects.get(pk=enqueue().pk)

    assert (job.status, job.priority, job.stream) == ("queued", "normal", "service")
    assert job.subject == "Test email from The Tech Deputies"
    assert job.content == {"context": WHEN}
    assert job.recipient_email == "margaret@example.com"
    assert job.expires_at is not None
    assert job.expires_at - job.available_at == timedelta(days=3)
    assert job.message_id is None


def test_the_returned_job_equals_its_row() -> None:
    job = enqueue(expires_at=timezone.now() + timedelta(hours=2))
    row = EmailJob.objects.get(pk=job.pk)

    for field in EmailJob._meta.concrete_fields:
        assert getattr(job, field.attname) == getattr(row, field.attname), field.attname


def test_the_same_occasion_twice_gives_one_mail() -> None:
    first = enqueue()
    second = enqueue(to="other@example.com")

    assert second.pk == first.pk
    assert EmailJob.objects.count() == 1
    assert second.recipient_email == "margaret@example.com"


def test_a_repeat_leaves_the_callers_transaction_usable() -> None:
    with transaction.atomic():
        enqueue()
        enqueue()
        make_job()

    assert EmailJob.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_mail_rolls_back_with_its_cause() -> None:
    def cause() -> None:
        with transaction.atomic():
            enqueue()
            raise RuntimeError("the cause failed after all")

    with pytest.raises(RuntimeError):
        cause()

    assert not EmailJob.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_same_occasion_from_two_transactions_at_once_gives_one_mail() -> None:
    start = threading.Barrier(4)
    ids: list[int] = []

    def run() -> None:
        try:
            start.wait(timeout=10)
            with transaction.atomic():
                ids.append(enqueue().pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_queueing_costs_one_statement_when_warm() -> None:
    enqueue(occasion="warm")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        enqueue(occasion="counted")

    assert len(queries) == 1


def test_secrets_are_stored_encrypted_and_bound_to_their_row() -> None:
    job = enqueue(secrets={"button_url": "https://example.com/reset/very-secret"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(j)::text FROM email_jobs j WHERE id = %s", [job.pk])
        row = cursor.fetchone()[0]

    assert "very-secret" not in row
    sealed = crypto.decrypt(job.content["secrets"], purpose="email:test_message:cause:1:1")
    assert json.loads(sealed) == {"button_url": "https://example.com/reset/very-secret"}
    with pytest.raises(CannotDecrypt):
        crypto.decrypt(job.content["secrets"], purpose="email:test_message:cause:2:1")


def test_a_subject_never_shows_a_secret() -> None:
    make_template(name="coded", subject="Your code is {{ code }}", variables={"code": "123456"})

    job = enqueue(template="coded", context={}, secrets={"code": "987654"})

    assert job.subject == ""


def test_a_security_mail_with_secrets_is_given_up_after_an_hour() -> None:
    make_template(name="reset", subject="Your link", stream="security", priority="critical")

    job = enqueue(template="reset", secrets={"button_url": "https://example.com/x"})

    assert job.priority == "critical"
    assert job.expires_at is not None
    assert job.expires_at - job.available_at == timedelta(hours=1)


def test_an_unknown_template_is_a_defect() -> None:
    with pytest.raises(UnknownTemplate):
        enqueue(template="nobody_wrote_this")
    with pytest.raises(UnknownTemplate):
        enqueue(template="../../settings")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "margaret",
        "a@example.com, b@example.com",
        "a@example.com;b@example.com",
        "Margaret <margaret@example.com>",
        '"quoted, name"@example.com',
        "margaret@example.com\nBcc: b@example.com",
        "margaret@exa mple.com",
        "x" * 250 + "@example.com",
    ],
)
def test_only_one_bare_address_is_a_recipient(address: str) -> None:
    with pytest.raises(InvalidRecipient):
        enqueue(to=address)
    assert not EmailJob.objects.exists()


def test_ordinary_addresses_pass() -> None:
    assert bare_address(" Pat.O'Brien+news@Example.com ") == "Pat.O'Brien+news@Example.com"
    assert bare_address("jo@bücher.example") == "jo@bücher.example"


def test_names_and_values_are_cleaned() -> None:
    job = enqueue(name="Mar\r\ngaret\u202e  Hill\0", context={"asked_at": "now\0", "list": ["\ud800x", 1, None]})

    job = EmailJob.objects.get(pk=job.pk)
    assert job.recipient_name == "Mar garet Hill"
    assert job.content["context"] == {"asked_at": "now", "list": ["x", 1, None]}
    assert len(one_line("x" * 400)) == 255


def test_a_wish_for_later_is_kept() -> None:
    later = timezone.now() + timedelta(hours=5)

    job = EmailJob.objects.get(pk=enqueue(scheduled_at=later).pk)

    assert job.scheduled_at == job.available_at == later
    assert job.expires_at == later + timedelta(days=3)


def test_cancelling_stops_what_waits_and_nothing_else() -> None:
    waiting = make_job(occasion="booking:a_1:1", content={"context": {}, "secrets": "sealed"})
    alike = make_job(occasion="booking:aX1:1")
    on_its_way = make_job(occasion="booking:a_1:2", status=EmailStatus.SENDING)

    assert cancel_emails(occasion_prefix="booking:a_1:", reason="The visit was cancelled.") == 1

    for job in (waiting, alike, on_its_way):
        job.refresh_from_db()
    assert (waiting.status, waiting.last_error) == ("cancelled", "The visit was cancelled.")
    assert waiting.content["secrets"] is None
    assert alike.status == "queued"
    assert on_its_way.status == "sending"


def test_cancelling_for_an_address_spares_other_addresses_and_the_kinds_to_keep() -> None:
    mine = make_job(recipient_email="Margaret@example.com", template_type="news", occasion="a")
    kept = make_job(recipient_email="margaret@example.com", template_type="password_changed", occasion="a")
    other = make_job(recipient_email="margarets@example.com", template_type="news", occasion="b")

    assert cancel_emails_to("margaret@EXAMPLE.com", keep=["password_changed"], reason="The account was deleted.") == 1

    for job in (mine, kept, other):
        job.refresh_from_db()
    assert [mine.status, kept.status, other.status] == ["cancelled", "queued", "queued"]


def test_cancelled_on_its_way_it_is_not_sent_when_it_comes_back() -> None:
    """Nobody knew whether Mailgun had taken the reminder when its visit was cancelled; Mailgun had not."""
    job = make_job(occasion="reminder:a1:1")
    claimed = queue.claim(limit=1)[0]

    assert cancel_emails(occasion_prefix="reminder:a1:", reason="The visit was cancelled.") == 0
    unsure = queue.Outcome(claimed.id, claimed.lease_token, EmailStatus.QUEUED, "Mailgun does not know it.", retries=1)
    assert queue.settle([unsure]) == 1

    delivery.drain()
    job.refresh_from_db()
    assert job.status == "cancelled"


def test_cancelled_on_its_way_it_counts_as_sent_when_mailgun_took_it() -> None:
    job = make_job(occasion="reminder:a1:1")
    claimed = queue.claim(limit=1)[0]
    cancel_emails(occasion_prefix="reminder:a1:", reason="The visit was cancelled.")

    queue.settle([queue.Outcome(claimed.id, claimed.lease_token, EmailStatus.SENT)])

    job.refresh_from_db()
    assert (job.status, job.last_error) == ("sent", None)


# --- Waking ---------------------------------------------------------------------------------------------
DRAIN = "emails.tasks.drain_outbox"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that were queued."""
    names: list[str] = []
    monkeypatch.setattr(waking, "send_task", lambda name, **options: names.append(name))
    waking.forget_faults()
    waking.begun(DRAIN)
    return names


@pytest.mark.django_db(transaction=True)
def test_the_worker_is_woken_after_the_commit_and_once(asked: list[str]) -> None:
    with transaction.atomic():
        enqueue(occasion="one")
        enqueue(occasion="two")
        assert asked == []

    assert asked == [DRAIN]


@pytest.mark.django_db(transaction=True)
def test_a_run_that_has_begun_is_asked_for_again(asked: list[str]) -> None:
    enqueue(occasion="one")
    waking.begun(DRAIN)  # what the run does first
    enqueue(occasion="two")

    assert asked == [DRAIN, DRAIN]


@pytest.mark.django_db(transaction=True)
def test_nobody_is_woken_for_what_is_due_later(asked: list[str]) -> None:
    enqueue(scheduled_at=timezone.now() + timedelta(hours=1))

    assert asked == []


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_neither_fails_nor_is_asked_twice(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    class Dead:
        def add(self, *args: Any, **options: Any) -> None:
            tries.append(args)

    monkeypatch.setattr(waking, "cache", Dead())

    enqueue(occasion="one")
    enqueue(occasion="two")

    assert EmailJob.objects.count() == 2
    assert len(tries) == 1
    assert asked == []
