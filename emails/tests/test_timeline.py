"""One mail's story, in order and in words, whatever was told about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from emails.models import EmailDeliveryEvent, EmailJob, EmailStatus
from emails.services.timeline import result_words, steps

CHICAGO = ZoneInfo("America/Chicago")
START = datetime(2025, 12, 2, 16, 0, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def job(**fields: Any) -> EmailJob:
    values = {
        "pk": 7,
        "recipient_email": "a@example.com",
        "created_at": START,
        "updated_at": at(90),
        "available_at": START,
    }
    return EmailJob(**{**values, **fields})


def said(kind: str, minutes: int, data: Any = None) -> EmailDeliveryEvent:
    return EmailDeliveryEvent(event_type=kind, timestamp=at(minutes), data=data)


def test_columns_and_events_are_merged_in_order_and_told_once() -> None:
    row = job(status=EmailStatus.CLICKED, sent_at=at(1), delivered_at=at(2), opened_at=at(5), clicked_at=at(9))

    story = steps(row, [said("opened", 5), said("delivered", 2), said("opened", 7)], CHICAGO)

    assert [(step.moment, step.words.split()[1], step.who) for step in story] == [
        (START, "was", "the website"),
        (at(1), "was", "the website"),
        (at(2), "reached", "Mailgun"),
        (at(5), "was", "Mailgun"),
        (at(7), "was", "Mailgun"),
        (at(9), "link", "Mailgun"),
    ]


def test_a_mail_of_the_old_site_has_its_columns_alone() -> None:
    row = job(status=EmailStatus.BOUNCED, sent_at=at(1), bounced_at=at(3), bounce_reason="No such mailbox")

    story = steps(row, [], CHICAGO)

    assert story[-1].words == "It came back. The reason: No such mailbox"
    assert (story[-1].moment, story[-1].who) == (at(3), "Mailgun")


def test_reasons_come_from_what_mailgun_sent() -> None:
    data = {"severity": "temporary", "reason": "generic", "delivery-status": {"message": "Mailbox full"}}

    story = steps(job(status=EmailStatus.SENT, sent_at=at(1)), [said("failed", 4, data)], CHICAGO)

    assert story[-1].words == "The mailbox did not take it yet. Mailgun keeps trying. The reason: Mailbox full"


@pytest.mark.parametrize("data", [None, [], "cut", 7, {"delivery-status": None}, {"delivery-status": [], "reason": 3}])
def test_odd_data_upsets_nothing(data: Any) -> None:
    story = steps(job(status=EmailStatus.SENT, sent_at=at(1)), [said("failed", 4, data), said("new_kind", 5)], CHICAGO)

    assert story[-2].words == "The mailbox did not take it yet. Mailgun keeps trying."
    assert story[-1].words == "It said: new_kind."


def test_tries_waiting_and_the_end_are_told() -> None:
    later = timezone.now() + timedelta(hours=1)
    waiting = job(last_attempt_at=at(2), retry_count=2, last_error="no answer", available_at=later)
    failed = job(status=EmailStatus.FAILED, last_error="no such domain")
    cancelled = job(status=EmailStatus.CANCELLED, last_error="suppressed: bounce")
    purged = job(status=EmailStatus.SENT, sent_at=at(1), purged_at=at(99))

    assert steps(waiting, [], CHICAGO)[1].words == "We tried to send it, after 2 tries before. It went wrong: no answer"
    assert steps(waiting, [], CHICAGO)[-1].words.startswith("It waits until ")
    assert steps(failed, [], CHICAGO)[-1].words == "We gave up. No such domain."
    assert (
        steps(cancelled, [], CHICAGO)[-1].words == "It was cancelled. Mail to this address is stopped: mail came back."
    )
    assert steps(purged, [], CHICAGO)[-1].words == "Its text was thrown away, as that of all old mail is."
    assert steps(job(scheduled_at=at(60)), [], CHICAGO)[0].words == (
        "It was written, to be sent on Tuesday, December 2, 2025 at 11:00 AM."
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "queued"}, "Waits to be sent."),
        ({"status": "sending"}, "Is being sent."),
        (
            {"status": "sent", "sent_at": START},
            "Was sent on Tuesday, December 2, 2025 at 10:00 AM. The mailbox has not said yet whether it arrived.",
        ),
        (
            {"status": "delivered", "delivered_at": START},
            "Reached the mailbox on Tuesday, December 2, 2025 at 10:00 AM.",
        ),
        ({"status": "delivered"}, "Reached the mailbox."),
        ({"status": "opened"}, "Reached the mailbox and was opened."),
        ({"status": "clicked"}, "Reached the mailbox, and a link in it was pressed."),
        ({"status": "bounced", "bounce_reason": "no such mailbox"}, "Came back. No such mailbox."),
        ({"status": "complained"}, "Reached the mailbox and was marked as spam."),
        ({"status": "failed", "last_error": "bad address"}, "Did not arrive. Bad address."),
        ({"status": "failed"}, "Did not arrive."),
        (
            {"status": "cancelled", "last_error": "suppressed: complaint"},
            "Was not sent. Mail to this address is stopped: marked as spam.",
        ),
    ],
)
def test_did_it_reach_the_person(fields: dict[str, Any], words: str) -> None:
    assert result_words(job(**fields), CHICAGO) == words


def test_a_bounce_is_final_even_when_its_data_is_thrown_away() -> None:
    story = steps(job(status=EmailStatus.BOUNCED, sent_at=at(1), bounced_at=at(4)), [said("bounced", 4, None)], CHICAGO)

    assert any(step.words.startswith("The mailbox did not take it. Mailgun gave up.") for step in story)
