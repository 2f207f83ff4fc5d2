"""Who is told that the account was opened on a new device, and what cannot keep that mail back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import services
from accounts.models import Session, User
from accounts.services import Device
from accounts.signed_cookies import KNOWN_DEVICE, SIGNING_UP
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import ACTOR, is_signed_in, last_mail, mails, path_of, secret_in, sign_in
from accounts.web import PEOPLE_OF_A_DEVICE
from emails import rendering, wording
from emails.models import EmailJob, Stream

pytestmark = pytest.mark.django_db

WINDOWS = "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36"
IPAD = "Mozilla/5.0 (iPad; CPU OS 18_0) Version/18.0 Safari/604.1"
FORM = {"name": "Margaret Ellis", "email": "margaret@example.com", "password": PASSWORD}


def told() -> list[dict[str, Any]]:
    return mails("new_device")


def sign_out(client: Client) -> None:
    client.post(reverse("accounts:logout"))
    assert not is_signed_in(client)


def start(client: Client) -> User:
    client.post(reverse("accounts:signup"), FORM)
    return User.objects.get()


def cookie_of(client: Client) -> Any:
    return signing.loads(client.cookies[KNOWN_DEVICE].value, salt=f"accounts.signed_cookies.{KNOWN_DEVICE}")


# --- Who is told ------------------------------------------------------------------------------------------


def test_a_stranger_with_the_password_is_told_to_the_owner_at_once() -> None:
    user = make_user(time_zone="America/New_York")
    sign_in(Client(), user)
    stranger = Client(REMOTE_ADDR="203.0.113.7")
    sign_in(stranger, user, HTTP_USER_AGENT=WINDOWS)

    mail = told()[-1]
    session = Session.objects.order_by("-created_at").first()
    assert session is not None
    assert mail["to"] == user.email
    assert mail["first_name"] == "Margaret"
    assert mail["device_words"] == "Chrome on a Windows computer"
    assert mail["network"] == session.ip_address == "203.0.113.7"
    assert mail["when_words"].endswith(" Eastern Time (New York)")
    assert mail["button_url"].endswith(reverse("accounts:session_list"))
    assert mail["password_url"].endswith(reverse("accounts:password_change"))
    assert mail["job"].stream == Stream.SECURITY
    assert mail["job"].occasion == f"user:{user.pk}:new_device:{session.pk}"


def test_the_mail_can_be_filled_in_as_it_was_queued() -> None:
    sign_in(Client(), make_user(), HTTP_USER_AGENT=IPAD)
    job = EmailJob.objects.get(template_type="new_device")
    words = wording.find("new_device")

    mail = rendering.render(words, job.content["context"], site=rendering.site_values(), recipient_name="Margaret")

    assert mail.subject == "Your account was opened on a new device"
    for part in (mail.text, mail.html):
        assert "Safari on an iPad" in part
        assert reverse("accounts:session_list") in part
        assert reverse("accounts:password_change") in part


def test_the_same_device_is_told_once() -> None:
    client, user = Client(), make_user()
    for _ in range(3):
        sign_in(client, user)
        sign_out(client)

    assert len(told()) == 1


def test_each_device_is_told_and_so_is_one_that_forgot_its_mark() -> None:
    user, laptop, phone = make_user(), Client(), Client()
    sign_in(laptop, user)
    sign_in(phone, user)
    laptop.cookies.clear()
    sign_in(laptop, user)

    assert len(told()) == 3
    assert len({mail["job"].occasion for mail in told()}) == 3


def test_a_wrong_password_tells_nobody() -> None:
    sign_in(Client(), make_user(), password="not the password")

    assert told() == []


# --- Right after signing up -------------------------------------------------------------------------------


def test_whoever_has_just_signed_up_is_not_told_and_the_next_device_is(client: Client) -> None:
    user = start(client)
    client.post(reverse("accounts:verify"), {"code": last_mail("verify_email")["code"]})
    assert is_signed_in(client)
    sign_out(client)
    sign_in(client, user)
    assert told() == []

    sign_in(Client(), user)
    assert len(told()) == 1


def test_signing_up_on_one_device_and_proving_on_another_leaves_both_known(client: Client) -> None:
    user, phone = start(client), Client()
    phone.get(path_of(last_mail("verify_email")))
    phone.post(reverse("accounts:verify"))
    sign_in(client, user)
    sign_in(phone, user)

    assert (is_signed_in(client), is_signed_in(phone)) == (True, True)
    assert told() == []


def test_a_sign_up_begun_with_the_owners_address_does_not_keep_the_mail_back() -> None:
    user, stranger = make_user(email="margaret@example.com"), Client()
    stranger.post(reverse("accounts:signup"), FORM)
    assert SIGNING_UP in stranger.cookies
    sign_in(stranger, user)

    assert len(told()) == 1


def test_an_unproven_address_is_not_mailed_and_leaves_no_mark_for_later() -> None:
    user, stranger = make_user(email_verified=False), Client()
    sign_in(stranger, user)
    assert told() == []
    assert KNOWN_DEVICE not in stranger.cookies
    sign_out(stranger)
    User.objects.update(email_verified=True)
    sign_in(stranger, user)

    assert len(told()) == 1


def test_a_reset_says_what_it_did_in_its_own_mail_and_makes_the_device_known(client: Client) -> None:
    user = make_user()
    client.post(reverse("accounts:password_reset"), {"email": user.email})
    client.get(f"{reverse('accounts:password_reset_confirm')}?token={secret_in(last_mail('password_reset'))}")
    new = "another horse battery staple"
    client.post(reverse("accounts:password_reset_confirm"), {"password": new})
    sign_out(client)
    sign_in(client, user, password=new)

    assert len(mails("password_changed")) == 1
    assert told() == []


# --- The mark ---------------------------------------------------------------------------------------------


def test_a_mark_for_another_account_is_no_mark() -> None:
    owner, other, client = make_user(), make_user(), Client()
    sign_in(client, other)
    sign_out(client)
    sign_in(client, owner)

    assert [mail["to"] for mail in told()] == [other.email, owner.email]
    assert cookie_of(client)["people"] == [owner.pk, other.pk]


@pytest.mark.parametrize("how", ["changed", "other_salt", "other_key", "plain", "not_a_mark", "names"])
def test_a_forged_mark_does_not_keep_the_mail_back(how: str) -> None:
    user, stranger = make_user(), Client()
    mark = {"id": "abc", "people": [user.pk]}
    salt = f"accounts.signed_cookies.{KNOWN_DEVICE}"
    good = signing.dumps({"id": "abc", "people": [user.pk + 1]}, salt=salt, compress=True)
    stranger.cookies[KNOWN_DEVICE] = {
        "changed": signing.dumps(mark, salt="guess").partition(":")[0] + ":" + good.partition(":")[2],
        "other_salt": signing.dumps(mark, salt=f"accounts.signed_cookies.{SIGNING_UP}"),
        "other_key": signing.dumps(mark, salt=salt, key="guessed"),
        "plain": json.dumps(mark),
        "not_a_mark": signing.dumps([user.pk], salt=salt),
        "names": signing.dumps({"id": "abc", "people": [str(user.pk), user.email]}, salt=salt),
    }[how]
    sign_in(stranger, user)

    assert [mail["to"] for mail in told()] == [user.email]


def test_the_mark_is_hidden_from_scripts_and_lasts(client: Client) -> None:
    sign_in(client, make_user())

    cookie = client.cookies[KNOWN_DEVICE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"] == 365 * 24 * 3600


def test_a_shared_device_remembers_five_people_and_forgets_the_oldest(client: Client) -> None:
    people = [make_user() for _ in range(PEOPLE_OF_A_DEVICE + 1)]
    for user in people:
        sign_in(client, user)
        sign_out(client)
    assert PEOPLE_OF_A_DEVICE == 5
    assert cookie_of(client)["people"] == [user.pk for user in reversed(people[1:])]
    assert len(client.cookies[KNOWN_DEVICE].value) < 300
    assert len(told()) == 6

    sign_in(client, people[1])
    assert len(told()) == 6
    sign_out(client)
    sign_in(client, people[0])
    assert [mail["to"] for mail in told()][6:] == [people[0].email]


# --- What it costs ----------------------------------------------------------------------------------------


def test_a_new_device_costs_one_statement_more_than_a_known_one() -> None:
    user = make_user()
    services.tell_of_new_device(user=user, device=Device(), session_row="0" * 64, actor=ACTOR)  # settings are warm

    def statements(device: Device, row: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            services.tell_of_new_device(user=user, device=device, session_row=row, actor=ACTOR)
        return len(seen)

    assert statements(Device(id="abc", people=(user.pk,)), "a" * 64) == 0
    assert statements(Device(), "b" * 64) == 1
    assert len(told()) == 2


def test_one_session_is_told_once_however_often_it_is_asked() -> None:
    user = make_user()
    for _ in range(3):
        services.tell_of_new_device(user=user, device=Device(), session_row="c" * 64, actor=ACTOR)

    assert len(told()) == 1


def test_an_address_that_cannot_be_written_to_still_lets_in(client: Client) -> None:
    user = make_user(email="old..address@example.com")

    assert sign_in(client, user).status_code == 302
    assert is_signed_in(client)
    assert told() == []
