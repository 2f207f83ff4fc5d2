"""The tasks: thin, and safe to run twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from emails import tasks
from emails.models import EmailJob
from emails.services import delivery
from emails.tests.factories import make_job
from sandbox.mailgun import StandIn
from techdeputies.lib import waking

pytestmark = pytest.mark.django_db


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that were queued."""
    names: list[str] = []
    monkeypatch.setattr(waking, "send_task", lambda name, **options: names.append(name))
    return names


def test_a_run_sends_what_is_due_and_a_second_finds_nothing(mailgun: StandIn, queued: list[str]) -> None:
    make_job()

    tasks.drain_outbox()
    tasks.drain_outbox()

    assert len(mailgun.messages()) == 1
    assert queued == []


def test_the_critical_run_leaves_the_rest(mailgun: StandIn) -> None:
    make_job(priority="critical")
    make_job(priority="high")

    tasks.drain_critical()

    assert EmailJob.objects.filter(status="queued").count() == 1


def test_a_run_takes_the_wake_key_away_first(mailgun: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    key = waking.key(tasks.drain_outbox.name)
    cache.set(key, 1)
    seen: list[Any] = []

    def drain(**options: Any) -> delivery.Report:
        seen.append(cache.get(key))
        return delivery.Report()

    monkeypatch.setattr(delivery, "drain", drain)

    tasks.drain_outbox()

    assert seen == [None]


def test_a_run_that_ends_before_the_queue_asks_for_another(
    mailgun: StandIn, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "drain", lambda **options: delivery.Report(has_more=True))

    tasks.drain_outbox()
    tasks.drain_critical()

    assert queued == ["emails.tasks.drain_outbox", "emails.tasks.drain_critical"]


def test_a_dead_broker_does_not_break_a_run(mailgun: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*args: Any, **options: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(waking, "send_task", dead)
    monkeypatch.setattr(delivery, "drain", lambda **options: delivery.Report(has_more=True))

    tasks.drain_outbox()


def test_recovery_wakes_the_senders_when_it_has_decided(mailgun: StandIn, queued: list[str]) -> None:
    tasks.recover_stuck()
    assert queued == []

    past = timezone.now() - timedelta(minutes=5)
    make_job(
        status="sending",
        message_id="job-1.x@mail.thetechdeputies.example",
        lease_until=past,
        last_attempt_at=past,
        lease_token="00000000-0000-0000-0000-000000000001",
    )
    tasks.recover_stuck()
    tasks.recover_stuck()

    assert queued == ["emails.tasks.drain_outbox"]
    assert EmailJob.objects.get().retry_count == 1
