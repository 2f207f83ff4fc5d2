"""Applying what was posted: batches, late rows, posts that cannot be applied, and staff's second try."""

from __future__ import annotations

import secrets
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_admin
from audit.models import AdminActionAudit
from emails import tasks
from emails.models import EmailDeliveryEvent, EmailJob, EmailSuppression, EmailWebhookPost, PostState
from emails.services import delivery, events, inbox, reconcile, suppression
from emails.tests.factories import make_job
from emails.tests.posts import about, sample
from sandbox.mailgun import StandIn
from techdeputies.lib import waking

pytestmark = pytest.mark.django_db


def mail(**fields: Any) -> EmailJob:
    name = f"job-1.{secrets.token_hex(8)}@mail.thetechdeputies.example"
    return make_job(**{"status": "sent", "message_id": name, "sent_at": timezone.now(), **fields})


def kept(data: Any, **fields: Any) -> EmailWebhookPost:
    return EmailWebhookPost.objects.create(token=secrets.token_hex(25), body=data, **fields)


def again(post: EmailWebhookPost) -> EmailWebhookPost:
    """Let its waiting time pass, apply, and read it."""
    EmailWebhookPost.objects.filter(pk=post.pk).update(available_at=timezone.now() - timedelta(seconds=1))
    inbox.apply_waiting()
    post.refresh_from_db()
    return post


# --- What becomes of a post -----------------------------------------------------------------------------


def test_a_waiting_post_acts_on_its_mail_and_is_marked() -> None:
    job = mail()
    post = kept(about(job, "delivered"))

    report = inbox.apply_waiting()

    post.refresh_from_db()
    job.refresh_from_db()
    assert (report.claimed, report.applied, report.has_more) == (1, 1, False)
    assert (job.status, post.state, post.email_job_id) == ("delivered", "applied", job.pk)
    assert post.applied_at


def test_a_second_run_finds_nothing() -> None:
    kept(about(mail(), "delivered"))
    tasks.apply_posts()
    tasks.apply_posts()

    assert EmailDeliveryEvent.objects.count() == 1


def test_the_mail_of_somebody_else_is_kept_apart() -> None:
    post = kept(sample("delivered")["event-data"])

    inbox.apply_waiting()

    post.refresh_from_db()
    assert (post.state, post.email_job_id, post.body) == ("foreign", None, sample("delivered")["event-data"])


def test_a_stopped_address_is_written_with_its_event() -> None:
    job = mail()
    kept(about(job, "permanent_fail"))
    kept(about(job, "delivered", second=1))

    report = inbox.apply_waiting()

    job.refresh_from_db()
    assert report.applied == 2
    assert job.status == "bounced"
    assert EmailSuppression.objects.get().type == "bounce"


def test_a_run_goes_on_until_all_is_done_and_says_when_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    job = mail()
    for _ in range(7):
        kept(about(job, "opened"))

    assert inbox.apply_waiting(batch=2).applied == 7
    kept(about(job, "opened"))
    assert inbox.apply_waiting(seconds=0).has_more

    asked: list[str] = []
    monkeypatch.setattr(inbox, "apply_waiting", lambda: inbox.Report(has_more=True))
    monkeypatch.setattr(waking, "send_task", lambda name, **options: asked.append("again"))
    tasks.apply_posts()
    assert asked == ["again"]


def test_a_batch_costs_few_statements() -> None:
    for _ in range(20):
        kept(about(mail(), "delivered"))

    with CaptureQueriesContext(connection) as seen:
        assert inbox.apply_waiting().applied == 20

    assert len(seen) <= 7  # claim, match, lock, record, mark, and the savepoint's two


def test_the_claim_reads_the_partial_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + inbox._CLAIM, [100])
        plan = " ".join(row[0] for row in cursor.fetchall())

    assert "email_webhook_post_waiting" in plan


# --- A row that is not there yet -----------------------------------------------------------------------


def test_a_post_that_came_before_its_row_waits_for_it() -> None:
    job = mail()
    name = job.message_id
    data = about(job, "delivered")
    data["user-variables"] = []
    EmailJob.objects.filter(pk=job.pk).update(message_id=None)
    post = kept(data)

    assert again(post).state == "waiting"
    assert inbox.apply_waiting().claimed == 0
    EmailJob.objects.filter(pk=job.pk).update(message_id=name)
    assert again(post).state == "applied"


def test_after_ten_minutes_it_is_foreign() -> None:
    data = about(mail(), "delivered")
    EmailJob.objects.all().delete()
    post = kept(data, received_at=timezone.now() - timedelta(minutes=11))

    assert again(post).state == "foreign"


# --- What cannot be applied -----------------------------------------------------------------------------


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> EmailJob:
    """A mail whose events cannot be recorded."""
    job = mail()
    real = events.record

    def record(pairs: Any) -> int:
        if job.pk in dict(pairs):
            raise RuntimeError("a defect")
        return real(pairs)

    monkeypatch.setattr(events, "record", record)
    return job


def test_a_bad_post_holds_up_no_other(poison: EmailJob) -> None:
    jobs = [mail() for _ in range(5)]
    bad = kept(about(poison, "delivered"))
    for job in jobs:
        kept(about(job, "delivered"))

    report = inbox.apply_waiting()

    bad.refresh_from_db()
    assert (report.applied, report.failed) == (5, 1)
    assert set(EmailJob.objects.exclude(pk=poison.pk).values_list("status", flat=True)) == {"delivered"}
    assert (bad.state, bad.attempt_count, bad.last_error) == ("waiting", 1, "RuntimeError: a defect")
    assert bad.available_at > timezone.now()


def test_after_three_tries_a_post_is_broken_and_told_loudly(poison: EmailJob, caplog: pytest.LogCaptureFixture) -> None:
    bad = kept(about(poison, "delivered"))

    states = [again(bad).state for _ in range(4)]

    assert states == ["waiting", "waiting", "broken", "broken"]
    assert bad.attempt_count == 3
    assert [record.levelname for record in caplog.records if "mail_post_broken" in record.getMessage()] == ["ERROR"]


def test_half_an_effect_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop cannot be written, so neither event nor status are: all of it comes at the next try."""
    job = mail()
    bad = kept(about(job, "permanent_fail"))

    def fails(**values: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(suppression, "add", fails)
        assert again(bad).state == "waiting"
    job.refresh_from_db()
    assert (job.status, EmailDeliveryEvent.objects.count()) == ("sent", 0)

    assert again(bad).state == "applied"
    job.refresh_from_db()
    assert (job.status, EmailSuppression.objects.count()) == ("bounced", 1)


def test_a_database_that_goes_away_is_no_fault_of_a_post(monkeypatch: pytest.MonkeyPatch) -> None:
    post = kept(about(mail(), "delivered"))

    def away(posts: Any) -> Any:
        raise OperationalError

    monkeypatch.setattr(events, "match", away)
    monkeypatch.setattr(connection, "is_usable", lambda: False)

    with pytest.raises(OperationalError):
        inbox.apply_waiting()

    post.refresh_from_db()
    assert (post.state, post.attempt_count) == ("waiting", 0)


# --- Staff ----------------------------------------------------------------------------------------------


def press_try_again(client: Client, *posts: EmailWebhookPost) -> str:
    client.force_login(make_admin())
    answer = client.post(
        reverse("admin:emails_emailwebhookpost_changelist"),
        {"action": "try_again", "_selected_action": [post.pk for post in posts]},
        follow=True,
    )
    return answer.content.decode()


def test_staff_let_a_broken_post_be_applied_again(client: Client) -> None:
    job = mail()
    broken = kept(about(job, "delivered"), state=PostState.BROKEN, attempt_count=3)
    done = kept({}, state=PostState.APPLIED)

    page = press_try_again(client, broken, done)
    inbox.apply_waiting()

    broken.refresh_from_db()
    done.refresh_from_db()
    job.refresh_from_db()
    assert "1 will be applied again" in page
    assert "Only a post that failed" in page
    assert (broken.state, job.status, done.state) == ("applied", "delivered", "applied")
    audits = AdminActionAudit.objects.filter(action="emails.emailwebhookpost.tried_again")
    assert sorted(audits.values_list("success", flat=True)) == [False, True]


def test_a_post_whose_body_is_gone_cannot_be_tried_again(client: Client) -> None:
    post = kept(None, state=PostState.BROKEN)

    assert "only while its body is kept" in press_try_again(client, post)


def test_staff_can_read_a_post(client: Client) -> None:
    post = kept(about(mail(), "delivered"))
    inbox.apply_waiting()
    client.force_login(make_admin())

    assert client.get(reverse("admin:emails_emailwebhookpost_changelist")).status_code == 200
    page = client.get(reverse("admin:emails_emailwebhookpost_change", args=[post.pk])).content.decode()
    assert "mx1.example.net" in page


# --- The nightly round ----------------------------------------------------------------------------------


def silent(server: StandIn, kind: str = "", *, hours: float = 10.0) -> EmailJob:
    """A mail that Mailgun has, about which nothing was posted."""
    job = make_job()
    delivery.drain()
    if kind:
        server.happen(server.last(job.recipient_email), kind)
    EmailJob.objects.filter(pk=job.pk).update(sent_at=timezone.now() - timedelta(hours=hours))
    job.refresh_from_db()
    return job


def test_a_lost_notice_is_made_good(mailgun: StandIn) -> None:
    delivered, bounced = silent(mailgun, "delivered"), silent(mailgun, "permanent_fail")
    quiet = silent(mailgun)

    report = reconcile.reconcile()

    assert (report.asked, report.settled, report.place) == (3, 2, None)
    statuses = dict(EmailJob.objects.values_list("pk", "status"))
    assert statuses == {delivered.pk: "delivered", bounced.pk: "bounced", quiet.pk: "sent"}
    assert EmailSuppression.objects.get().email == bounced.recipient_email


def test_a_post_that_comes_later_is_the_same_event(mailgun: StandIn) -> None:
    job = silent(mailgun, "delivered")
    (data,) = [item for item in mailgun.events(mailgun.last()) if item["event"] == "delivered"]
    reconcile.reconcile()
    count = EmailDeliveryEvent.objects.count()

    kept(data)
    inbox.apply_waiting()

    assert EmailDeliveryEvent.objects.count() == count
    job.refresh_from_db()
    assert job.status == "delivered"


@pytest.mark.parametrize("hours", [8.9, 72.1])
def test_only_mail_of_nine_hours_to_three_days_is_asked_for(mailgun: StandIn, hours: float) -> None:
    silent(mailgun, "delivered", hours=hours)

    assert reconcile.reconcile().asked == 0


def test_without_a_key_it_says_so_and_ends(mailgun: StandIn, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    silent(mailgun, "delivered")
    settings.MAILGUN_READ_API_KEY = ""

    report = reconcile.reconcile()

    assert (report.asked, report.place) == (0, None)
    assert "There is no key for look-ups." in caplog.text


def test_a_run_ends_in_time_and_the_next_goes_on_behind_it(mailgun: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (12, 11, 10):
        silent(mailgun, hours=hours)
    asked: list[Any] = []
    monkeypatch.setattr(waking, "send_task", lambda name, **options: asked.append(options["kwargs"]))
    ticks = iter([0.0, 0.0, 99.0])
    monkeypatch.setattr(reconcile, "time", SimpleNamespace(monotonic=lambda: next(ticks, 0.0)))

    tasks.reconcile_silent()
    first = len(mailgun.calls("logs"))
    tasks.reconcile_silent(**asked[0])

    assert first == 1
    assert len(mailgun.calls("logs")) == 3
    assert len(asked) == 1


def test_three_faults_in_a_row_end_the_round(mailgun: StandIn) -> None:
    for _ in range(5):
        silent(mailgun, "delivered")
    mailgun.answers(500, 500, 500, on="logs")

    report = reconcile.reconcile()

    assert (report.asked, report.faults, report.place) == (0, 3, None)


def test_one_fault_passes_over_one_mail(mailgun: StandIn) -> None:
    for _ in range(3):
        silent(mailgun, "delivered")
    mailgun.answers(500, on="logs")

    report = reconcile.reconcile()

    assert (report.asked, report.settled, report.faults) == (2, 2, 1)
