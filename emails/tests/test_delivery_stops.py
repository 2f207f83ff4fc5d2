"""Who must not be written to, asked when the mail is due: stops, wishes, and Mailgun's own lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from emails import gateway
from emails.models import EmailPreference, EmailSuppression
from emails.services import delivery
from emails.tests.factories import make_job, make_suppression, make_template
from sandbox.mailgun import StandIn

pytestmark = pytest.mark.django_db

ADDRESS = "margaret@example.com"


def job_of(choice: str, stream: str = "service") -> Any:
    make_template(name="chosen", choice=choice, stream=stream)
    return make_job(
        template_type="chosen", stream=stream, recipient_email=ADDRESS, content={"context": {"thing": "it"}}
    )


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
    job = make_job(recipient_email=ADDRESS, stream=stream)

    delivery.drain()

    job.refresh_from_db()
    assert job.status == ("cancelled" if is_stopped else "sent")
    assert job.last_error == (f"suppressed: {kind}" if is_stopped else None)
    assert len(mailgun.calls("messages")) == (0 if is_stopped else 1)


@pytest.mark.parametrize(
    ("choice", "stream", "wishes", "kind", "is_stopped"),
    [
        ("reminders", "service", None, None, False),
        ("reminders", "service", None, "unsubscribe", True),
        ("reminders", "service", {"wants_reminders": False}, None, True),
        ("reminders", "service", {"wants_news": False}, "unsubscribe", False),
        ("reminders", "service", {}, "unsubscribe", False),
        ("news", "news", {"wants_news": False}, None, True),
        ("news", "news", {"wants_reminders": False}, "unsubscribe", False),
        ("", "news", {"wants_news": False}, None, True),
        ("", "news", None, "unsubscribe", True),
        ("", "service", {"wants_news": False, "wants_reminders": False}, "unsubscribe", False),
        ("", "security", {"wants_news": False, "wants_reminders": False}, "unsubscribe", False),
        ("reminders", "service", {"wants_reminders": True}, "complaint", True),
    ],
)
def test_a_persons_own_word_decides_on_what_can_be_chosen(
    mailgun: StandIn, choice: str, stream: str, wishes: dict[str, bool] | None, kind: str | None, is_stopped: bool
) -> None:
    if wishes is not None:
        EmailPreference.objects.create(email="Margaret@Example.com", **wishes)
    if kind:
        make_suppression(email=ADDRESS, type=kind, is_at_mailgun=False)
    job = job_of(choice, stream)

    delivery.drain()

    job.refresh_from_db()
    assert job.status == ("cancelled" if is_stopped else "sent")
    cause = "complaint" if kind == "complaint" else "unsubscribe"
    assert job.last_error == (f"suppressed: {cause}" if is_stopped else None)


# --- Mailgun's own lists --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "stream", "days"),
    [("complaint", "security", 1), ("manual", "security", 1), ("unsubscribe", "service", 1), ("bounce", "service", -1)],
)
def test_mail_that_may_go_is_let_through_at_mailgun_first(
    mailgun: StandIn, monkeypatch: pytest.MonkeyPatch, kind: str, stream: str, days: int
) -> None:
    cleared: list[str] = []
    monkeypatch.setattr(gateway, "clear_suppression", lambda address, **options: cleared.append(address))
    make_suppression(email=ADDRESS, type=kind, expires_at=timezone.now() + timedelta(days=days))
    job = make_job(recipient_email=ADDRESS, stream=stream)

    delivery.drain()
    make_job(recipient_email=ADDRESS, stream=stream)
    delivery.drain()

    job.refresh_from_db()
    assert job.status == "sent"
    assert cleared == [ADDRESS]
    assert EmailSuppression.objects.get().is_at_mailgun is False


def test_without_the_right_to_clear_the_mail_goes_all_the_same(mailgun: StandIn) -> None:
    make_suppression(email=ADDRESS, type="complaint")
    job = make_job(recipient_email=ADDRESS, stream="security")

    delivery.drain()

    job.refresh_from_db()
    assert job.status == "sent"
    assert mailgun.calls("suppressions")
    assert EmailSuppression.objects.get().is_at_mailgun is True


@pytest.mark.django_db(transaction=True)
def test_a_complaint_that_comes_in_meanwhile_is_not_forgotten(
    mailgun: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = make_suppression(email=ADDRESS, type="complaint")
    make_job(recipient_email=ADDRESS, stream="security")
    settle = delivery.queue.settle

    def late(outcomes: list[Any]) -> int:
        EmailSuppression.objects.filter(pk=stop.pk).update(reason="again")
        return settle(outcomes)

    monkeypatch.setattr(gateway, "clear_suppression", lambda address, **options: None)
    monkeypatch.setattr(delivery.queue, "settle", late)

    delivery.drain()

    assert EmailSuppression.objects.get().is_at_mailgun is True


# --- The way out of what can be chosen ------------------------------------------------------------------


def test_what_can_be_chosen_carries_the_one_press_headers(mailgun: StandIn) -> None:
    job_of("reminders")

    delivery.drain()

    headers = mailgun.last().headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = headers["List-Unsubscribe"].strip("<>")
    assert link.startswith("http://testserver" + reverse("emails:unsubscribe", args=["x"])[:-2])


def test_what_always_goes_carries_none(mailgun: StandIn) -> None:
    job_of("")

    delivery.drain()

    assert "List-Unsubscribe" not in mailgun.last().headers


def test_the_job_knows_the_wording_it_was_sent_with(mailgun: StandIn) -> None:
    job = job_of("")
    delivery.wording.EmailTemplate.objects.update(version=7)

    delivery.drain()

    job.refresh_from_db()
    assert job.template_version == 7
