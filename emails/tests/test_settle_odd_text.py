"""What Mailgun writes into an answer never costs the group it is settled with."""

from __future__ import annotations

import pytest

from emails.models import EmailJob, EmailStatus
from emails.services import queue
from emails.services.outbox import enqueue_email

pytestmark = pytest.mark.django_db


def test_a_nul_in_an_answer_does_not_lose_the_group() -> None:
    for number in (1, 2):
        enqueue_email(
            template="test_message", occasion=f"odd:{number}", to="margaret@example.com", context={"asked_at": "now"}
        )
    first, second = queue.claim(limit=2)

    kept = queue.settle(
        [
            queue.Outcome(first.id, first.lease_token, EmailStatus.FAILED, error="bad\0text"),
            queue.Outcome(second.id, second.lease_token, EmailStatus.SENT, message_id="x\0" * 300),
        ]
    )

    assert kept == 2
    assert EmailJob.objects.get(pk=first.id).last_error == "badtext"
    assert EmailJob.objects.get(pk=second.id).status == EmailStatus.SENT
