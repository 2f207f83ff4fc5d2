"""The staff's pages of mail wording: by right, under the policy, and with nothing lost of what was typed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from accounts.tests.factories import make_admin
from audit.models import AdminActionAudit
from emails import wording
from emails.models import EmailJob, EmailTemplate
from emails.services import delivery
from emails.services.outbox import enqueue_email
from sandbox.mailgun import StandIn
from techdeputies.groups import OWNER, RIGHTS, SUPPORT

pytestmark = pytest.mark.django_db


@pytest.fixture
def template() -> EmailTemplate:
    call_command("seed_email_templates", verbosity=0)
    return EmailTemplate.objects.get(name="password_reset")


@pytest.fixture
def staff() -> User:
    return make_admin(email="rosa@example.com", name="Rosa Lopez")


@pytest.fixture
def desk(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


def page(template: EmailTemplate, name: str = "change/") -> str:
    return f"/admin/emails/emailtemplate/{template.pk}/{name}"


def posted(template: EmailTemplate, press: str, **changes: Any) -> dict[str, Any]:
    return {
        "subject": template.subject,
        "html_content": template.html_content,
        "text_content": template.text_content,
        "priority": template.priority,
        "is_active": "on",
        "version": template.version,
        press: "1",
    } | changes


def test_the_form_lists_the_variables_with_their_samples(desk: Client, template: EmailTemplate) -> None:
    html = desk.get(page(template)).content.decode()

    assert "{{ first_name }}" in html
    assert "Margaret" in html
    assert html.count(">Needed<") == 1
    assert "<style" not in html
    assert "<iframe" not in html


def test_saving_raises_the_version_and_is_recorded(desk: Client, template: EmailTemplate) -> None:
    answer = desk.post(page(template), posted(template, "_save", subject="Choose it anew"), follow=True)

    template.refresh_from_db()
    assert (template.subject, template.version) == ("Choose it anew", 2)
    assert "Saved as version 2." in answer.content.decode()
    row = AdminActionAudit.objects.get()
    assert (row.action, row.object_id) == ("emails.emailtemplate.changed", str(template.pk))
    assert "anew" not in str(row.details)


def test_a_fault_stands_beside_its_field_and_what_was_typed_stays(desk: Client, template: EmailTemplate) -> None:
    given = posted(template, "_save", text_content="Mine: {{ frist_name }} {{ button_url }}")
    html = desk.post(page(template), given).content.decode()

    assert "Did you mean “first_name”?" in html
    assert "Mine: {{ frist_name }} {{ button_url }}" in html
    template.refresh_from_db()
    assert template.version == 1
    assert AdminActionAudit.objects.get().details == {"refused": ["text_content"]}


def test_the_second_of_two_editors_is_told(desk: Client, template: EmailTemplate) -> None:
    desk.post(page(template), posted(template, "_save", subject="First"))
    html = desk.post(page(template), posted(template, "_save", subject="Second")).content.decode()

    assert "Somebody changed this wording while you worked." in html
    assert 'value="Second"' in html


@pytest.mark.parametrize("version", ["", "x", "-1", "99999999999999999999", "1e9"])
def test_a_broken_version_changes_nothing(desk: Client, template: EmailTemplate, version: str) -> None:
    answer = desk.post(page(template), posted(template, "_save", subject="X", version=version))

    assert answer.status_code == 200
    assert EmailTemplate.objects.get(pk=template.pk).version == 1


def test_a_look_shows_unsaved_words_in_frames_of_their_own(desk: Client, template: EmailTemplate) -> None:
    body = "<p>Quite new, {{ first_name }}.</p>{{ button }}"
    answer = desk.post(page(template), posted(template, "_look", html_content=body))
    html = answer.content.decode()
    frames = [address.replace("&amp;", "&") for address in re.findall(r'<iframe [^>]* src="([^"]+)"', html)]

    assert len(frames) == 4
    assert html.count(" sandbox ") == 4
    assert "frame-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    shown = desk.get(frames[-1])
    assert "Quite new, Margaret." in shown.content.decode()
    assert shown.headers["Content-Security-Policy"] == (
        "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    )
    assert shown.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "no-store" in shown.headers["Cache-Control"]
    assert EmailTemplate.objects.get(pk=template.pk).version == 1
    other = Client()
    other.force_login(make_admin())
    assert other.get(frames[0]).status_code == 404


def test_without_the_cache_the_text_is_shown_and_said_so(
    desk: Client, template: EmailTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "set", lambda *args, **kwargs: None)
    html = desk.post(page(template), posted(template, "_look")).content.decode()

    assert "The HTML part cannot be shown just now." in html
    assert "You told us that you forgot your password." in html
    assert "<iframe" not in html


def test_a_test_goes_to_the_presser_alone(desk: Client, template: EmailTemplate, mailgun: StandIn, staff: User) -> None:
    html = desk.post(page(template), posted(template, "_test", subject="Try me", to="victim@example.com"))
    delivery.drain()

    assert "A test is on its way to rosa@example.com." in html.content.decode()
    assert [mail.subject for mail in mailgun.messages()] == ["[Test] Try me"]
    assert EmailJob.objects.get().recipient_email == staff.email
    for _press in range(10):
        html = desk.post(page(template), posted(template, "_test"))
    assert "You have sent many test emails." in html.content.decode()
    assert EmailJob.objects.count() == 10


def test_earlier_words_are_listed_compared_and_brought_back(desk: Client, template: EmailTemplate) -> None:
    desk.post(page(template), posted(template, "_save", subject="Second words"))
    listed = desk.get(page(template, "versions/")).content.decode()
    old = desk.get(page(template, "versions/1/")).content.decode()

    assert "Rosa Lopez" in listed
    assert "Came with the product" in listed
    assert "Taken out</span> Choose a new password" in old
    assert "Added</span> Second words" in old
    assert desk.get(page(template, "versions/0/")).status_code == 200
    assert desk.get(page(template, "versions/9/")).status_code == 404

    stale = desk.post(page(template, "versions/1/"), {"present": "1"}).content.decode()
    assert "Somebody changed this wording" in stale
    desk.post(page(template, "versions/1/"), {"present": "2"})
    template.refresh_from_db()
    assert (template.subject, template.version) == ("Choose a new password", 3)


@pytest.mark.parametrize("asked", ["draft=nokey", "draft=a%3Ab", "version=9", "version=x", "version=9999999999"])
def test_a_look_at_nothing_is_not_found(desk: Client, template: EmailTemplate, asked: str) -> None:
    assert desk.get(page(template, f"look/?{asked}")).status_code == 404


def test_a_row_without_variables_and_text_can_be_opened(desk: Client) -> None:
    row = EmailTemplate.objects.create(name="bare", subject="Hello", html_content="<p>Hello</p>")

    for name in ("change/", "versions/", "versions/1/", "look/"):
        assert desk.get(page(row, name)).status_code == 200


class TestRights:
    def client_with(self, *rights: str) -> Client:
        person = make_admin(is_superuser=False)
        names = [right.partition(".")[2] for right in rights]
        person.user_permissions.set(Permission.objects.filter(codename__in=names))
        client = Client()
        client.force_login(person)
        return client

    def test_the_owner_alone_changes_wording(self) -> None:
        assert "emails.change_emailtemplate" in RIGHTS[OWNER]
        assert "emails.change_emailtemplate" not in RIGHTS[SUPPORT]

    def test_who_may_only_read_is_refused_and_the_refusal_is_recorded(self, template: EmailTemplate) -> None:
        reader = self.client_with("emails.view_emailtemplate")

        assert reader.get(page(template)).status_code == 200
        assert reader.get(page(template, "versions/1/")).status_code == 200
        for press in ("_save", "_look", "_test"):
            assert reader.post(page(template), posted(template, press, subject="X")).status_code == 403
        assert reader.post(page(template, "versions/0/"), {"present": "1"}).status_code == 403
        assert AdminActionAudit.objects.filter(success=False, error_message="Not allowed.").count() == 4
        assert EmailTemplate.objects.get(pk=template.pk).version == 1
        assert not EmailJob.objects.exists()

    def test_who_may_not_read_sees_nothing(self, template: EmailTemplate) -> None:
        stranger = self.client_with("emails.view_emailjob")

        for name in ("change/", "versions/", "versions/1/", "look/"):
            assert stranger.get(page(template, name)).status_code == 403


def test_no_page_shows_a_secret_of_a_person(desk: Client, template: EmailTemplate) -> None:
    enqueue_email(
        template="password_reset",
        occasion="reset:1:",
        to="margaret@example.com",
        context={"first_name": "Margaret", "button_text": "Choose"},
        secrets={"button_url": "https://example.com/very-secret"},
    )
    for name in ("change/", "versions/", "versions/1/", "look/"):
        assert "very-secret" not in desk.get(page(template, name)).content.decode()
    wording.forget()
