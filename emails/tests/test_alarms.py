"""What must not go unseen: found in few statements, told once in ten minutes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from structlog.testing import capture_logs

from emails.models import EmailJob, EmailStatus, EmailWebhookPost, PostState
from emails.services import alarms
from emails.tests.factories import make_job
from techdeputies.lib import heartbeat

pytestmark = pytest.mark.django_db

NAMES = (
    "mail_waits_too_long",
    "mail_leases_expired",
    "mail_bounces_too_many",
    "mail_complaints_too_many",
    "mailgun_posts_wait_too_long",
)


@pytest.fixture(autouse=True)
def _quiet_before() -> Iterator[None]:
    keys = [f"mail:alarm:{name}" for name in NAMES]
    cache.delete_many(keys)
    yield
    cache.delete_many(keys)


def ago(minutes: float) -> datetime:
    return timezone.now() - timedelta(minutes=minutes)


def make_many(status: EmailStatus, count: int) -> None:
    EmailJob.objects.bulk_create(
        EmailJob(
            template_type="test_message",
            occasion=f"{status}:{number}",
            recipient_email="a@example.com",
            subject="x",
            content={},
            status=status,
        )
        for number in range(count)
    )


def test_all_is_well() -> None:
    make_job()
    make_job(available_at=ago(-60))
    make_job(status=EmailStatus.SENDING, lease_until=ago(9))
    EmailWebhookPost.objects.create(token="a", received_at=ago(4))
    EmailWebhookPost.objects.create(token="b", received_at=ago(60), state=PostState.APPLIED)

    with capture_logs() as logs:
        assert alarms.check() == []
    assert logs == []


def test_each_is_found() -> None:
    make_job(available_at=ago(6))
    make_job(status=EmailStatus.SENDING, lease_until=ago(11))
    EmailWebhookPost.objects.create(token="a", received_at=ago(6))
    make_many(EmailStatus.DELIVERED, 90)
    make_many(EmailStatus.BOUNCED, 9)
    make_many(EmailStatus.COMPLAINED, 1)

    with capture_logs() as logs:
        found = alarms.check()

    assert sorted(found) == sorted(NAMES)
    assert sorted(line["event"] for line in logs) == sorted(NAMES)
    assert {line["log_level"] for line in logs} == {"error"}


def test_few_mails_say_nothing_about_shares() -> None:
    make_many(EmailStatus.BOUNCED, 99)

    assert alarms.check() == []


def test_shares_at_the_limit_are_borne() -> None:
    make_many(EmailStatus.DELIVERED, 1_900)
    make_many(EmailStatus.BOUNCED, 100)
    make_many(EmailStatus.COMPLAINED, 2)

    assert alarms.check() == []


def test_an_alarm_is_told_once_in_ten_minutes() -> None:
    make_job(available_at=ago(6))

    with capture_logs() as logs:
        assert alarms.check() == alarms.check() == ["mail_waits_too_long"]
    assert len(logs) == 1

    cache.delete("mail:alarm:mail_waits_too_long")
    with capture_logs() as logs:
        alarms.check()
    assert len(logs) == 1
    assert logs[0]["seconds"] >= 360


def test_a_cache_that_does_not_answer_silences_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    make_job(available_at=ago(6))
    monkeypatch.setattr(alarms.cache, "add", lambda *_args, **_more: None)

    with capture_logs() as logs:
        alarms.check()
    assert len(logs) == 1


def test_more_rows_cost_no_more_statements() -> None:
    with CaptureQueriesContext(connection) as few:
        alarms.check()
    make_many(EmailStatus.DELIVERED, 500)
    make_many(EmailStatus.QUEUED, 500)
    with CaptureQueriesContext(connection) as many:
        alarms.check()

    assert len(few) == len(many) == 4
    for name, statement in zip(("queued", "sending", "newest", "posts"), many, strict=True):
        assert "LIMIT" in statement["sql"], name


def test_a_sign_of_life_is_heard_for_two_minutes() -> None:
    cache.delete(heartbeat._KEY)
    assert not heartbeat.is_heard()

    heartbeat.beat()

    assert heartbeat.is_heard()
    assert cache.ttl(heartbeat._KEY) == 120  # type: ignore[attr-defined]
