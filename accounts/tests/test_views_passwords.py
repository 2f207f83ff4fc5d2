from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import PasswordResetToken, Session, User
from accounts.signed_cookies import RESET_LINK
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import is_signed_in, last_mail, mails, path_of, sign_in
from audit.models import PasswordChangeAudit

pytestmark = pytest.mark.django_db

RESET, CONFIRM, CHANGE = "/accounts/password/reset/", "/accounts/password/reset/confirm/", "/accounts/password/change/"
NEW = "green lamp thursday"


def ask(email: str) -> str:
    """Ask for a link and return its path."""
    Client().post(RESET, {"email": email})
    return path_of(last_mail("password_reset"))


def test_asking_answers_the_same_sentence_for_everyone(client: Client) -> None:
    for email in (make_user().email, "nobody@example.com"):
        page = client.post(RESET, {"email": email}, follow=True)
        assert (
            "If that address has an account, we have sent a link to it. It works for 1 hour." in page.content.decode()
        )


def test_the_host_of_a_link_comes_from_the_settings(client: Client) -> None:
    user = make_user()
    client.post(RESET, {"email": user.email}, HTTP_HOST="127.0.0.1", HTTP_X_FORWARDED_HOST="evil.example")

    assert last_mail("password_reset")["button_url"].startswith("http://testserver/")
    assert client.post(RESET, {"email": user.email}, HTTP_HOST="evil.example").status_code == 400


def test_the_link_leads_to_a_page_that_sets_the_password_and_signs_in(client: Client) -> None:
    user = make_user()
    path = ask(user.email)
    first = client.get(path)
    assert first["Location"] == CONFIRM
    assert first["Referrer-Policy"] == "no-referrer"
    assert first.cookies[RESET_LINK]["httponly"]
    page = client.get(CONFIRM)
    assert user.email in page.content.decode()
    assert "no-store" in page["Cache-Control"]

    answer = client.post(CONFIRM, {"password": NEW})

    assert answer["Location"] == "/dashboard/"
    assert is_signed_in(client)
    user.refresh_from_db()
    assert user.check_password(NEW)


def test_a_reset_ends_every_other_session_and_opens_one() -> None:
    user = make_user()
    thief, owner = Client(), Client()
    sign_in(thief, user)
    owner.get(ask(user.email))
    owner.post(CONFIRM, {"password": NEW})

    assert not is_signed_in(thief)
    assert is_signed_in(owner)
    assert Session.objects.count() == 1
    assert len(mails("password_changed")) == 1


def test_looking_at_the_link_uses_nothing_up(client: Client) -> None:
    path = ask(make_user().email)
    for _ in range(5):
        Client().get(path, follow=True)

    client.get(path)
    assert client.post(CONFIRM, {"password": NEW}).status_code == 302


def test_a_used_link_gets_a_clear_page_and_signs_nobody_in(client: Client) -> None:
    path = ask(make_user().email)
    client.get(path)
    client.post(CONFIRM, {"password": NEW})
    late = Client()
    late.get(path)

    for answer in (late.get(CONFIRM), late.post(CONFIRM, {"password": "another good password"})):
        assert answer.status_code == 410
        assert "That link does not work any more" in answer.content.decode()
    assert not is_signed_in(late)


def test_a_link_used_up_between_page_and_button_is_refused_and_written_down(client: Client) -> None:
    user = make_user()
    client.get(ask(user.email))
    PasswordResetToken.objects.update(used=True)

    assert client.post(CONFIRM, {"password": NEW}).status_code == 410
    assert not PasswordChangeAudit.objects.get().success


@pytest.mark.parametrize("password", ["", "short", "password1234", "x" * 1025, "nul\x00nulnulnulnul", "x" * 1_000_000])
def test_a_weak_password_gets_a_sentence_and_the_link_lives(client: Client, password: str) -> None:
    client.get(ask(make_user().email))
    answer = client.post(CONFIRM, {"password": password})
    assert answer.status_code == 200
    assert "There is a problem" in answer.content.decode()

    assert client.post(CONFIRM, {"password": NEW}).status_code == 302


def test_a_page_without_a_link_is_a_clear_page(client: Client) -> None:
    assert client.get(CONFIRM).status_code == 410
    assert client.post(CONFIRM, {"password": NEW}).status_code == 410
    assert client.get(CONFIRM, {"token": "made up"}, follow=True).status_code == 410


def test_a_reset_of_a_deleted_person_is_refused(client: Client) -> None:
    user = make_user()
    client.get(ask(user.email))
    User.objects.update(deleted_at=timezone.now())

    assert client.post(CONFIRM, {"password": NEW}).status_code == 410


def test_changing_the_password_renews_this_session_and_ends_the_others(client: Client) -> None:
    user = make_user()
    other = Client()
    sign_in(client, user)
    sign_in(other, user)
    before = client.cookies["sessionid"].value

    answer = client.post(CHANGE, {"current_password": PASSWORD, "password": NEW})

    assert answer["Location"] == "/accounts/profile/"
    assert client.cookies["sessionid"].value != before
    assert is_signed_in(client)
    assert not is_signed_in(other)
    client.cookies["sessionid"] = before
    assert not is_signed_in(client)


def test_a_wrong_present_password_gets_a_sentence(client: Client) -> None:
    sign_in(client, make_user())
    page = client.post(CHANGE, {"current_password": "wrong word", "password": NEW}).content.decode()

    assert "That is not your present password. Please try again." in page
    assert "wrong word" not in page
    assert NEW not in page


def test_too_many_wrong_present_passwords_are_429(client: Client) -> None:
    sign_in(client, make_user())
    for _ in range(5):
        client.post(CHANGE, {"current_password": "wrong", "password": NEW})

    answer = client.post(CHANGE, {"current_password": PASSWORD, "password": NEW})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0


def test_changing_needs_a_log_in(client: Client) -> None:
    assert client.get(CHANGE)["Location"].startswith("/accounts/login/")
    assert client.post(CHANGE, {"password": NEW})["Location"].startswith("/accounts/login/")
