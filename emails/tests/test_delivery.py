"""Sending what is due, and what must not be sent, over HTTP to the stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from emails.exceptions import TemplateFault
from emails.models import EmailJob
from emails.services import delivery
from emails.services.outbox import enqueue_email
from emails.tests.factories import make_job, make_suppression, make_template
from sandbox.mailgun import StandIn
from settings_app import crypto

pytestmark = pytest.mark.django_db


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


def test_an_expired_mail_is_cancelled_with_the_reason(mailgun: StandIn) -> None:
    job = make_job(expires_at=timezone.now() - timedelta(seconds=1), content={"context": {}, "secrets": "sealed"})

    delivery.drain()

    job.refresh_from_db()
    assert job.status == "cancelled"
    assert job.last_error is not None
    assert job.last_error.startswith("expired")
    assert job.content["secrets"] is None
    assert not mailgun.calls("messages")


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


def test_a_fault_of_the_next_claim_does_not_forget_the_mail_in_the_air(
    mailgun: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [make_job(), make_job()]
    find_known = delivery.wording.find_known
    asked: list[int] = []

    def breaks_on_the_second(names: Iterable[str]) -> Any:
        asked.append(1)
        if len(asked) == 2:
            raise TemplateFault("The files cannot be read.")
        return find_known(names)

    monkeypatch.setattr(delivery.wording, "find_known", breaks_on_the_second)
    with pytest.raises(TemplateFault):
        delivery.drain(batch_size=1)

    states = sorted(EmailJob.objects.filter(pk__in=[job.pk for job in jobs]).values_list("status", flat=True))
    assert len(mailgun.messages()) == 1
    assert states == ["sending", "sent"]


def test_a_fault_of_one_mail_sends_none_of_its_batch_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    make_job()
    make_job()
    submitted: list[Any] = []
    judged: list[Any] = []

    class Threads:
        def submit(self, *work: Any) -> None:
            submitted.append(work)

    def breaks_on_the_second(words: Any, content: Any) -> Any:
        judged.append(content)
        if len(judged) == 2:
            raise TemplateFault("The draft cannot be read.")
        return words

    monkeypatch.setattr(delivery, "_pool", lambda _threads: Threads())
    monkeypatch.setattr(delivery.wording, "with_draft", breaks_on_the_second)
    with pytest.raises(TemplateFault):
        delivery.drain()

    assert len(judged) == 2
    assert submitted == []
