"""Stopping and lifting addresses, as staff do it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_admin
from audit.models import AdminActionAudit
from emails.models import EmailSuppression
from emails.services import preferences
from emails.tests.factories import make_suppression
from settings_app.services import business_zone
from techdeputies.groups import make_groups

pytestmark = pytest.mark.django_db

ADDRESS = "harold@example.com"
STOP = "/admin/emails/emailsuppression/stop/"
LIST = "/admin/emails/emailsuppression/"


def form(**fields: Any) -> dict[str, Any]:
    return {"email": ADDRESS, "type": "manual", "reason": "Asked on the phone", "last_day": "", **fields}


def lift_page(row: EmailSuppression) -> str:
    return reverse("admin:emails_emailsuppression_lift", args=[row.pk])


def test_an_address_is_stopped_and_it_is_written_down(desk: Client, staff: User) -> None:
    page = desk.post(STOP, form(), follow=True).content.decode()
    row = EmailSuppression.objects.get()

    assert (row.email, row.type, row.reason, row.expires_at, row.is_at_mailgun) == (
        ADDRESS,
        "manual",
        "Asked on the phone",
        None,
        False,
    )
    assert "Mail to harold@example.com is stopped. Cause: Stopped by staff." in page
    audit = AdminActionAudit.objects.get(action="emails.emailsuppression.added")
    assert (audit.admin, audit.object_id) == (staff, str(row.pk))
    assert "phone" not in str(audit.details)


def test_the_last_day_counts_whole_where_the_business_is(desk: Client) -> None:
    day = (timezone.now().astimezone(business_zone()) + timedelta(days=3)).date()
    desk.post(STOP, form(last_day=f"{day:%m/%d/%Y}"))
    end = EmailSuppression.objects.get().expires_at

    assert end is not None
    assert end.astimezone(business_zone()).strftime("%Y-%m-%d %H:%M") == f"{day + timedelta(days=1)} 00:00"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": ""}, "Write the reason"),
        ({"email": "harold"}, "That is not a whole mail address"),
        ({"type": "bounce"}, "Choose one of the two"),
        ({"last_day": "soon"}, "Write the day as month/day/year"),
        ({"last_day": "01/31/2020"}, "That day has passed"),
        ({"type": "unsubscribe", "last_day": "01/31/2099"}, "A wish for no mail has no end"),
    ],
)
def test_what_is_not_right_is_said_beside_its_field(desk: Client, fields: dict[str, str], words: str) -> None:
    assert words in desk.post(STOP, form(**fields)).content.decode()
    assert not EmailSuppression.objects.exists()


def test_an_unsubscribe_turns_the_choices_off_and_lifting_turns_them_on(desk: Client) -> None:
    desk.post(STOP, form(type="unsubscribe"))
    assert not preferences.get(ADDRESS).wants_news
    desk.post(lift_page(EmailSuppression.objects.get()), {"reason": "person_asked"})

    assert preferences.get(ADDRESS).wants_news
    audit = AdminActionAudit.objects.get(action="emails.emailsuppression.lifted")
    assert (audit.details or {})["reason"] == "person_asked"


def test_a_stronger_cause_stays(desk: Client) -> None:
    make_suppression(email=ADDRESS)
    page = desk.post(STOP, form(), follow=True).content.decode()

    assert "Cause: Mail came back." in page


def test_lifting_needs_a_reason(desk: Client) -> None:
    row = make_suppression(is_at_mailgun=False)

    assert "Choose the reason." in desk.post(lift_page(row), {"reason": ""}).content.decode()
    assert EmailSuppression.objects.exists()


def test_a_mailgun_out_of_reach_is_said_in_words_and_nothing_changes(desk: Client, settings: Any) -> None:
    settings.MAILGUN_READ_API_KEY = "some-key"
    settings.ANYMAIL = {**settings.ANYMAIL, "MAILGUN_API_URL": "http://127.0.0.1:9/v3", "REQUESTS_TIMEOUT": (1, 1)}
    row = make_suppression()
    page = desk.post(lift_page(row), {"reason": "mistake"}).content.decode()

    assert "Mailgun cannot be reached just now, so nothing was changed." in page
    assert EmailSuppression.objects.filter(pk=row.pk).exists()
    audit = AdminActionAudit.objects.get()
    assert (audit.success, audit.error_message) == (False, "MailgunUnreachable")


def test_the_list_is_searched_by_the_start_of_the_address(desk: Client) -> None:
    make_suppression(email=ADDRESS)
    make_suppression(email="margaret@example.com")
    text = desk.get(LIST, {"q": "harol"}).content.decode()

    assert ADDRESS in text
    assert "margaret@example.com" not in text
    assert "No end" in text
    assert "Stop an address" in text


def test_rows_are_not_deleted_by_hand(desk: Client) -> None:
    row = make_suppression()
    desk.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert desk.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403

    assert EmailSuppression.objects.exists()


@pytest.mark.parametrize(("group", "status"), [("Owner", 200), ("Support", 200), ("Deputy", 403)])
def test_who_may(client: Client, group: str, status: int) -> None:
    make_groups()
    person = make_admin(is_superuser=False)
    person.groups.add(Group.objects.get(name=group))
    client.force_login(person)

    assert client.get(STOP).status_code == status
    assert client.get(lift_page(make_suppression())).status_code == status
