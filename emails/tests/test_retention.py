"""Old bodies go, facts stay, in small statements that find their rows by index."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tests.factories import make_admin
from audit.actors import Actor
from emails import tasks
from emails.exceptions import BodyIsGone
from emails.models import EmailDeliveryEvent, EmailJob, EmailStatus, EmailWebhookPost, PostState
from emails.services import retention, retry
from emails.tests.factories import make_job
from techdeputies.lib import waking

pytestmark = pytest.mark.django_db

OLD = timedelta(days=91)
OLDER = timedelta(days=181)


def old_job(age: timedelta = OLD, **fields: Any) -> EmailJob:
    job = make_job(**{"status": EmailStatus.DELIVERED, **fields})
    EmailJob.objects.filter(pk=job.pk).update(created_at=timezone.now() - age)
    return job


def event(age: timedelta, job: EmailJob) -> EmailDeliveryEvent:
    return EmailDeliveryEvent.objects.create(
        email_job=job,
        event_type="opened",
        timestamp=timezone.now() - age,
        data={"event": "opened"},
        ip_address="203.0.113.7",
        user_agent="Browser",
    )


def post(age: timedelta, state: PostState, token: str) -> EmailWebhookPost:
    return EmailWebhookPost.objects.create(
        token=token, body={"event": "opened"}, state=state, received_at=timezone.now() - age
    )


def test_an_old_body_goes_and_the_facts_stay() -> None:
    job = old_job(delivered_at=timezone.now() - OLD, message_id="a@example.com")
    changed_at = EmailJob.objects.get(pk=job.pk).updated_at

    report = retention.purge()

    kept = EmailJob.objects.get(pk=job.pk)
    assert (report.mails, report.has_more) == (1, False)
    assert kept.content == {"purged": True}
    assert kept.purged_at is not None
    assert (kept.recipient_email, kept.subject, kept.message_id) == (job.recipient_email, job.subject, "a@example.com")
    assert (kept.delivered_at, kept.updated_at) == (job.delivered_at, changed_at)


@pytest.mark.parametrize("status", [EmailStatus.QUEUED, EmailStatus.SENDING])
def test_what_is_not_finished_keeps_its_body_however_old(status: EmailStatus) -> None:
    job = old_job(status=status)

    assert retention.purge().mails == 0
    assert EmailJob.objects.get(pk=job.pk).content == job.content


def test_what_is_younger_than_the_setting_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    old_job(timedelta(days=89))
    assert retention.purge().mails == 0

    monkeypatch.setattr(retention, "value", {"mail_body_days": 30, "mail_post_days": 180}.__getitem__)
    assert retention.purge().mails == 1


def test_a_second_run_finds_nothing() -> None:
    old_job()
    retention.purge()

    assert retention.purge().mails == 0


def test_many_go_in_batches_and_what_time_leaves_over_goes_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        old_job()

    with CaptureQueriesContext(connection) as queries:
        report = retention.purge(batch=3)
    assert (report.mails, report.has_more) == (7, False)
    assert sum("UPDATE email_jobs" in query["sql"] for query in queries) == 3

    old_job()
    report = retention.purge(seconds=0)
    assert (report.mails, report.has_more) == (0, True)


def test_a_run_without_enough_time_asks_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(waking, "go_on", lambda name: asked.append(name))
    monkeypatch.setattr(tasks.retention, "purge", lambda: retention.Report(has_more=True))

    tasks.purge_old()

    assert asked == ["emails.tasks.purge_old"]


def test_what_mailgun_told_about_devices_is_blanked_later() -> None:
    job = make_job(status=EmailStatus.OPENED)
    young, old = event(OLD, job), event(OLDER, job)

    report = retention.purge()

    young.refresh_from_db()
    old.refresh_from_db()
    assert report.events == 1
    assert (young.data, young.ip_address) == ({"event": "opened"}, "203.0.113.7")
    assert (old.data, old.ip_address, old.user_agent, old.event_type) == (None, None, None, "opened")
    assert retention.purge().events == 0


def test_posts_are_blanked_but_kept_and_a_waiting_one_is_not_touched() -> None:
    rows = {state: post(OLDER, state, f"{state}-old") for state in PostState}
    young = post(OLD, PostState.APPLIED, "young")

    assert retention.purge().posts == len(PostState) - 1

    assert EmailWebhookPost.objects.count() == len(PostState) + 1
    with_body = EmailWebhookPost.objects.filter(body__isnull=False).values_list("pk", flat=True)
    assert set(with_body) == {rows[PostState.WAITING].pk, young.pk}


# What is done with outweighs what is left, as in real life: else any index is as good to the planner.
MANY_DONE = """
INSERT INTO email_jobs (template_type, recipient_email, subject, content, status, purged_at)
SELECT 'welcome', 'margaret@example.com', 'Hello', '{}', 'sent', now() FROM generate_series(1, 2000);
INSERT INTO email_delivery_events (email_job_id, event_type)
SELECT (SELECT max(id) FROM email_jobs), 'delivered' FROM generate_series(1, 2000);
INSERT INTO email_webhook_posts (token, state) SELECT 'token-' || n, 'applied' FROM generate_series(1, 2000) n;
ANALYZE email_jobs, email_delivery_events, email_webhook_posts;
"""


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (retention._PURGE_MAILS, "email_job_to_purge"),
        (retention._BLANK_EVENTS, "email_event_to_blank"),
        (retention._BLANK_POSTS, "email_webhook_post_to_blank"),
    ],
)
def test_rows_are_found_by_the_index_of_what_is_left_to_do(sql: str, index: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY_DONE)
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {sql}", {"days": 90, "limit": 1_000})
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert f"using {index}" in plan


def test_a_purged_mail_is_not_tried_again() -> None:
    job = old_job(status=EmailStatus.FAILED)
    retention.purge()

    with pytest.raises(BodyIsGone):
        retry.try_again(job=job, actor=Actor(user=make_admin(), ip_address="203.0.113.7", user_agent="Browser"))
    assert EmailJob.objects.count() == 1
