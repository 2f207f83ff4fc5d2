"""The staff's pages of mail: the queue, the report, one mail, a person's mail. Bounded, strict, and by right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_admin, make_user
from audit.models import AdminActionAudit
from emails.models import EmailDeliveryEvent, EmailJob, EmailPreference, EmailStatus, EmailSuppression
from emails.services import breaker, overview, report, retention
from techdeputies.groups import DEPUTY, OWNER, SUPPORT, make_groups
from techdeputies.tests.desk import make_mail
from techdeputies.tests.test_admin import assert_strict

pytestmark = pytest.mark.django_db

LIST = "/admin/emails/emailjob/"
QUEUE = "/admin/emails/emailjob/queue/"
REPORT = "/admin/emails/emailjob/report/"
RESUME = "/admin/emails/emailjob/resume/"


@pytest.fixture(autouse=True)
def _closed_breaker() -> Iterator[None]:
    breaker.reset()
    yield
    breaker.reset()


def member(group: str) -> Client:
    make_groups()
    person = make_admin(is_superuser=False)
    person.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(person)
    return client


def make_many(count: int, **fields: object) -> None:
    EmailJob.objects.bulk_create(
        EmailJob(
            **{"template_type": "test_message", "recipient_email": "a@example.com", "subject": "x", "content": {}}
            | fields
        )
        for _ in range(count)
    )


def html_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert_strict(html)
    return html


def change(job: EmailJob) -> str:
    return reverse("admin:emails_emailjob_change", args=[job.pk])


def act(job: EmailJob, name: str) -> str:
    return reverse("admin:emails_emailjob_act", args=[job.pk, name])


class TestQueue:
    def test_it_is_found_from_the_front_page_and_from_the_list(self, desk: Client) -> None:
        for address in (reverse("admin:index"), LIST):
            html = html_of(desk, address)
            assert QUEUE in html
            assert REPORT in html

    def test_it_tells_what_waits_and_what_failed(self, desk: Client) -> None:
        now = timezone.now()
        make_mail(
            status=EmailStatus.QUEUED, priority="critical", stream="security", available_at=now - timedelta(minutes=12)
        )
        make_mail(status=EmailStatus.QUEUED, priority="low", stream="news", available_at=now + timedelta(days=1))
        make_mail(status=EmailStatus.SENDING, lease_until=now - timedelta(minutes=1))
        make_mail(status=EmailStatus.SENDING, lease_until=now + timedelta(minutes=1))
        make_mail(last_error="no such domain")
        make_mail(last_error="no such domain")
        make_mail(status=EmailStatus.SENT)

        html = html_of(desk, QUEUE)

        assert "<dt>Waits in all</dt><dd>2</dd>" in html
        assert "<dt>Due now</dt><dd>1</dd>" in html
        assert "<dd>12 minutes</dd>" in html
        assert "<dt>Being sent</dt><dd>2</dd>" in html
        assert "looked up</dt><dd>1</dd>" in html
        assert html.index(">Critical</a>") < html.index(">Low</a>")
        assert "<td>No such domain.</td><td>2</td>" in html
        assert "?status__exact=failed&amp;template_type=password_reset" in html
        assert "Sending is not paused." in html
        assert desk.get(f"{LIST}?status__exact=failed&template_type=password_reset").status_code == 200

    def test_a_full_queue_is_counted_to_a_point_and_costs_no_more(
        self, desk: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(overview, "MOST_COUNTED", 20)
        monkeypatch.setattr("emails.admin.queue_pages.MOST_COUNTED", 20)
        monkeypatch.setattr(overview, "MOST_FAILURES", 20)
        html_of(desk, QUEUE)
        with CaptureQueriesContext(connection) as few:
            html_of(desk, QUEUE)
        make_many(30, status=EmailStatus.QUEUED)
        make_many(30, status=EmailStatus.FAILED)
        make_many(300, status=EmailStatus.DELIVERED)
        with CaptureQueriesContext(connection) as many:
            html = html_of(desk, QUEUE)

        assert "<dt>Waits in all</dt><dd>20 or more</dd>" in html
        assert "Only the newest were counted." in html
        assert len(many) == len(few)
        counting = [query["sql"] for query in many if "COUNT(" in query["sql"] and "email_jobs" in query["sql"]]
        assert len(counting) == 3
        assert all("LIMIT" in sql for sql in counting)

    def test_a_pause_is_told_and_can_be_ended(self, desk: Client, staff: User) -> None:
        breaker.misconfigured("401")
        assert "refuses our key" in html_of(desk, QUEUE)
        assert "refuses our key" in html_of(desk, RESUME)

        answer = desk.post(RESUME, follow=True)

        assert "The pause is ended." in answer.content.decode()
        assert not breaker.is_paused()
        row = AdminActionAudit.objects.get()
        assert (row.action, row.admin, row.success) == ("mail_pause_ended", staff, True)

    def test_the_end_of_a_pause_reaches_workers_that_keep_their_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        breaker.slow_down(300)
        mine = breaker._paused_until
        breaker.lift()
        monkeypatch.setattr(breaker, "_paused_until", mine)  # another process, which saw the fault itself

        assert not breaker.is_paused()
        breaker.slow_down(300)
        assert breaker.is_paused()
        cache.delete(breaker._PAUSE_KEY)
        assert breaker.is_paused()


class TestReport:
    def test_the_question_is_the_contract_s(self) -> None:
        contract = json.loads((Path(__file__).parent / "data" / "schema_contract.json").read_text())
        asked = next(query["sql"] for query in contract["queries"] if query["name"] == "Get Email Delivery Report")

        assert report.SQL.strip() == asked.strip()

    def test_it_draws_and_tells_the_same_numbers(self, desk: Client) -> None:
        make_many(90, status=EmailStatus.DELIVERED)
        make_many(10, status=EmailStatus.BOUNCED)
        old = make_mail(status=EmailStatus.COMPLAINED)
        EmailJob.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=31))

        html = html_of(desk, REPORT)

        assert '<text x="0" y="14" class="bar-name">Delivered: 90</text>' in html
        assert 'width="36"' in html  # ten of ninety, of 320
        assert "<td>90</td><td>90.0%</td>" in html
        assert "10.00%" in html
        assert "Too many: more than 5%" in html
        assert "Good: not above 0.1%" in html
        assert "Marked as spam</a>" not in html

    def test_it_asks_once_however_much_there_is(self, desk: Client) -> None:
        make_many(300, status=EmailStatus.OPENED)
        with CaptureQueriesContext(connection) as queries:
            html_of(desk, REPORT)

        assert sum("email_jobs" in query["sql"] for query in queries) == 1

    def test_no_mail_at_all_is_no_error(self, desk: Client) -> None:
        assert "No mail was written" in html_of(desk, REPORT)


class TestOneMail:
    def test_its_story_and_its_other_tries_are_told(self, desk: Client) -> None:
        first = make_mail(last_error="no answer")
        second = make_mail(
            occasion=f"again:{first.pk}", status=EmailStatus.OPENED, template_version=3, sent_at=timezone.now()
        )
        EmailDeliveryEvent.objects.create(email_job=second, event_type="delivered")

        html = html_of(desk, change(second))

        assert "It reached the mailbox." in html
        assert "From Mailgun" in html
        assert ", version 3" in html
        assert f'Before: <a href="{change(first)}">' in html
        assert f'After: <a href="{change(second)}">' in html_of(desk, change(first))

    @pytest.mark.parametrize("occasion", ["again:", "again:x", "again:²", f"again:{'9' * 40}", None])
    def test_an_odd_occasion_is_no_error(self, desk: Client, occasion: str | None) -> None:
        assert "None" in html_of(desk, change(make_mail(occasion=occasion)))

    def test_a_purged_mail_says_so_and_is_not_sent_again(self, desk: Client) -> None:
        job = make_mail()
        EmailJob.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(days=99))
        retention.purge()

        assert "The text was thrown away on " in html_of(desk, change(job))
        answer = desk.post(act(job, "again"))
        assert "Please write a new one." in answer.content.decode()
        assert EmailJob.objects.count() == 1

    def test_its_design_is_shown_where_nothing_runs_and_nothing_secret_stands(self, desk: Client) -> None:
        job = make_mail(content={"context": {"first_name": "Margaret"}, "secrets": "sealed"})
        address = reverse("admin:emails_emailjob_look", args=[job.pk])
        assert address in html_of(desk, change(job))

        answer = desk.get(address)

        assert answer.status_code == 200
        assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none';")
        assert "script-src" not in answer["Content-Security-Policy"]
        assert "sealed" not in answer.content.decode()
        assert "<h1" in answer.content.decode()
        EmailJob.objects.filter(pk=job.pk).update(purged_at=timezone.now(), content={"purged": True})
        assert desk.get(address)["Content-Type"].startswith("text/plain")

    def test_many_events_are_told_to_a_point(self, desk: Client) -> None:
        job = make_mail(status=EmailStatus.OPENED, sent_at=timezone.now())
        html_of(desk, change(job))
        with CaptureQueriesContext(connection) as few:
            html_of(desk, change(job))
        EmailDeliveryEvent.objects.bulk_create(
            EmailDeliveryEvent(email_job=job, event_type="opened") for _ in range(200)
        )
        with CaptureQueriesContext(connection) as many:
            html = html_of(desk, change(job))

        assert html.count('<span class="story-when">') == 52
        assert "Mailgun told more." in html
        assert len(many) == len(few)

    def test_it_is_tried_again_or_cancelled_from_its_page(self, desk: Client) -> None:
        failed, waiting = make_mail(), make_mail(status=EmailStatus.QUEUED, content={"context": {}, "secrets": "x"})
        assert act(failed, "again") in html_of(desk, change(failed))
        assert act(waiting, "cancel") in html_of(desk, change(waiting))
        html_of(desk, act(waiting, "cancel"))

        desk.post(act(failed, "again"))
        desk.post(act(waiting, "cancel"))
        refused = desk.post(act(waiting, "cancel"))

        waiting.refresh_from_db()
        assert (waiting.status, waiting.last_error) == (EmailStatus.CANCELLED, "cancelled by staff")
        assert waiting.content["secrets"] is None
        assert "Only a mail that still waits can be cancelled." in refused.content.decode()
        told = AdminActionAudit.objects.order_by("id").values_list("action", "success")
        assert list(told) == [
            ("mail_tried_again", True),
            ("mail_cancelled", True),
            ("emails.emailjob.cancel", False),
        ]
        assert desk.get(act(failed, "dance")).status_code == 404


class TestList:
    def test_only_what_waits_is_cancelled_and_the_rest_is_named(self, desk: Client) -> None:
        waiting = make_mail(status=EmailStatus.QUEUED)
        sending = make_mail(status=EmailStatus.SENDING, recipient_email="ruth@example.com")
        form = {"action": "cancel", "_selected_action": [waiting.pk, sending.pk]}

        html = desk.post(LIST, form, follow=True).content.decode()

        waiting.refresh_from_db()
        sending.refresh_from_db()
        assert (waiting.status, sending.status) == (EmailStatus.CANCELLED, EmailStatus.SENDING)
        assert "ruth@example.com: Only a mail that still waits" in html
        assert "1 cancelled." in html
        assert [row.success for row in AdminActionAudit.objects.order_by("id")] == [True, False]

    def test_no_exact_count_is_made(self, desk: Client) -> None:
        make_many(30)
        with CaptureQueriesContext(connection) as queries:
            html_of(desk, LIST)

        counts = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "email_jobs" in query["sql"]]
        assert counts
        assert all("LIMIT" in sql for sql in counts)

    def test_one_action_goes_through_a_bounded_number(self, desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("emails.admin.jobs.MOST_AT_ONCE", 3)
        make_many(5, status=EmailStatus.QUEUED)
        pks = list(EmailJob.objects.values_list("pk", flat=True))

        html = desk.post(LIST, {"action": "cancel", "_selected_action": pks}, follow=True).content.decode()

        assert "Only the first 3 were looked at." in html
        assert EmailJob.objects.filter(status=EmailStatus.CANCELLED).count() == 3


class TestPerson:
    def address(self, person: User) -> str:
        return reverse("admin:accounts_user_change", args=[person.pk])

    def test_did_it_reach_her(self, desk: Client) -> None:
        person = make_user(email="Margaret@example.com")
        for number in range(25):
            make_mail(
                recipient_email="margaret@EXAMPLE.com",
                subject=f"Mail {number:02}",
                status=EmailStatus.DELIVERED,
                delivered_at=timezone.now(),
            )
        make_mail(recipient_email="ruth@example.com", subject="Not hers")
        stop = EmailSuppression.objects.create(email="margaret@example.com", type="bounce", reason="No such mailbox")
        EmailPreference.objects.create(email="margaret@example.com", wants_news=False)

        html = html_of(desk, self.address(person))

        assert html.count("Reached the mailbox on ") == 20
        assert "Mail 24" in html
        assert "Mail 04" not in html
        assert "Not hers" not in html
        assert "Mail to this address is stopped." in html
        assert "No such mailbox" in html
        assert reverse("admin:emails_emailsuppression_change", args=[stop.pk]) in html
        assert "They want reminders, but no news." in html

    def test_it_costs_three_statements_at_most(self, desk: Client) -> None:
        person = make_user(email="margaret@example.com")
        make_many(300, recipient_email="margaret@example.com")
        html_of(desk, self.address(person))
        with CaptureQueriesContext(connection) as queries:
            html_of(desk, self.address(person))

        ours = [query["sql"] for query in queries if 'FROM "email_' in query["sql"]]
        assert len(ours) <= 4
        assert any("LIMIT 20" in sql for sql in ours)

    def test_a_stop_that_has_ended_stops_nothing(self, desk: Client) -> None:
        person = make_user(email="margaret@example.com")
        past = timezone.now() - timedelta(days=1)
        EmailSuppression.objects.create(email="margaret@example.com", type="manual", expires_at=past)

        html = html_of(desk, self.address(person))

        assert "is stopped" not in html
        assert "They want news and reminders." in html
        assert "No mail was written to this address." in html


class TestRights:
    @pytest.mark.parametrize("group", [OWNER, SUPPORT])
    def test_owner_and_support_see_and_act(self, group: str) -> None:
        client, failed = member(group), make_mail()
        person = make_user(email=failed.recipient_email)

        for address in (LIST, QUEUE, REPORT, RESUME, change(failed), act(failed, "again")):
            html_of(client, address)
        assert "Mail to " in html_of(client, reverse("admin:accounts_user_change", args=[person.pk]))
        client.post(act(failed, "again"))
        assert EmailJob.objects.count() == 2

    def test_a_deputy_sees_nothing_of_it(self) -> None:
        client, failed = member(DEPUTY), make_mail()
        person = make_user(email=failed.recipient_email)

        look = reverse("admin:emails_emailjob_look", args=[failed.pk])
        for address in (LIST, QUEUE, REPORT, RESUME, change(failed), look, act(failed, "again")):
            assert client.get(address).status_code == 403, address
        assert client.post(RESUME).status_code == 403
        assert client.post(act(failed, "again")).status_code == 403
        assert EmailJob.objects.count() == 1
        assert QUEUE not in html_of(client, reverse("admin:index"))
        assert "mail-title" not in html_of(client, reverse("admin:accounts_user_change", args=[person.pk]))
        assert not AdminActionAudit.objects.filter(success=True).exists()

    def test_who_may_only_look_cannot_act(self) -> None:
        person = make_admin(is_superuser=False)
        person.user_permissions.add(Permission.objects.get(codename="view_emailjob"))
        client, failed = Client(), make_mail()
        client.force_login(person)

        assert act(failed, "again") not in html_of(client, change(failed))
        assert RESUME not in html_of(client, QUEUE)
        assert client.post(act(failed, "again")).status_code == 403
