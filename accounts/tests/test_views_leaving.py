"""The pages for deleting one's account, waiting, and coming back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import services
from accounts.models import User
from accounts.signals import deletion_asked
from accounts.signed_cookies import KEEP_LINK
from accounts.tests.factories import PASSWORD, make_admin, make_user
from accounts.tests.helpers import ACTOR, is_signed_in, last_mail, mails, path_of, secret_in, sign_in
from accounts.tests.test_secrets_at_rest import dump

pytestmark = pytest.mark.django_db

DELETE, KEEP, DONE, UNDO = (f"/accounts/delete/{name}" for name in ("", "keep/", "done/", "undo/"))


@pytest.fixture
def person(client: Client) -> User:
    user = make_user()
    sign_in(client, user)
    return user


@pytest.fixture
def held() -> Iterator[None]:
    """Somebody above has something to end outside first."""

    def hold(**_: Any) -> bool:
        return True

    deletion_asked.connect(hold)
    yield
    deletion_asked.disconnect(hold)


def delete(client: Client, password: str = PASSWORD) -> Any:
    return client.post(DELETE, {"current_password": password})


@pytest.mark.parametrize("path", [DELETE, KEEP])
def test_they_need_a_log_in(client: Client, path: str) -> None:
    for answer in (client.get(path), client.post(path)):
        assert answer["Location"].startswith("/accounts/login/?next=")


def test_the_page_says_what_goes_what_stays_and_why(client: Client, person: User) -> None:
    assert 'href="/accounts/delete/"' in client.get("/accounts/profile/").content.decode()
    page = client.get(DELETE).content.decode()

    for words in ("What happens at once", "What we delete after 14 days", "because the law asks", "change your mind"):
        assert words in page
    person.refresh_from_db()
    assert person.deletion_asked_at is None


def test_the_password_closes_the_account_and_leads_to_a_page_for_everybody(client: Client, person: User) -> None:
    elsewhere = Client()
    sign_in(elsewhere, person)
    answer = delete(client)

    assert answer["Location"] == DONE
    assert answer["Clear-Site-Data"] == '"cache"'
    assert "Your account is closed" in client.get(DONE).content.decode()
    assert not is_signed_in(client)
    assert not is_signed_in(elsewhere)
    assert "do not match" in sign_in(Client(), person).content.decode()


@pytest.mark.parametrize(
    ("password", "words"), [("", "Please write your password."), ("not this one", "That is not your present password.")]
)
def test_without_the_right_password_nothing_happens(client: Client, person: User, password: str, words: str) -> None:
    answer = delete(client, password)

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert is_signed_in(client)


def test_too_many_wrong_passwords_are_stopped(client: Client, person: User) -> None:
    for _ in range(5):
        delete(client, "not this one")

    assert delete(client).status_code == 429
    assert is_signed_in(client)


def test_staff_are_sent_to_the_owner(client: Client) -> None:
    sign_in(client, make_admin())

    assert "ask the owner" in client.get(DELETE).content.decode()
    assert "ask the owner" in delete(client).content.decode()
    assert is_signed_in(client)


@pytest.mark.usefixtures("held")
def test_while_it_waits_both_pages_say_so_and_why(client: Client, person: User) -> None:
    assert delete(client)["Location"] == DELETE
    assert is_signed_in(client)
    assert "We are ending your plan first" in client.get(DELETE).content.decode()
    services.note_deletion_delay(user=person)

    for path in (DELETE, "/accounts/profile/", "/dashboard/"):
        page = client.get(path).content.decode()
        assert "Your account is not deleted yet" in page
        assert "We cannot reach the company that takes our payments right now" in page


@pytest.mark.usefixtures("held")
def test_the_wish_can_be_taken_back(client: Client, person: User) -> None:
    delete(client)
    assert client.get(KEEP)["Location"] == DELETE
    answer = client.post(KEEP, follow=True)

    assert "Your account stays" in answer.content.decode()
    assert "What happens at once" in client.get(DELETE).content.decode()
    person.refresh_from_db()
    assert person.deletion_asked_at is None


def test_taking_it_back_too_late_leads_out(client: Client, person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = services.keep_account

    def closed_meanwhile(*, user: User, **more: Any) -> User:
        services.ask_deletion(user=user, password=PASSWORD, actor=ACTOR)
        return keep(user=user, **more)

    monkeypatch.setattr(services, "keep_account", closed_meanwhile)

    assert client.post(KEEP)["Location"] == DONE


def test_the_mailed_button_leads_to_a_page_that_asks_for_the_password(client: Client, person: User) -> None:
    delete(client)
    path = path_of(last_mail("account_deletion_asked"))
    first = client.get(path)
    assert first["Location"] == UNDO
    assert first["Referrer-Policy"] == "no-referrer"
    assert first.cookies[KEEP_LINK]["httponly"]
    page = client.get(UNDO)
    assert person.email in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert "not the password" in client.post(UNDO, {"password": "not this one"}).content.decode()

    answer = client.post(UNDO, {"password": PASSWORD}, follow=True)

    assert answer.redirect_chain[0][0] == "/dashboard/"
    assert "Your account is open again" in answer.content.decode()
    assert is_signed_in(client)


def test_a_used_or_missing_link_gets_a_clear_page(client: Client, person: User) -> None:
    delete(client)
    path = path_of(last_mail("account_deletion_asked"))
    client.get(path)
    client.post(UNDO, {"password": PASSWORD})
    late = Client()
    late.get(path)

    for answer in (late.get(UNDO), late.post(UNDO, {"password": PASSWORD}), Client().get(UNDO)):
        assert answer.status_code == 410
        assert "If you want your account back" in answer.content.decode()
    assert not is_signed_in(late)


def test_too_many_wrong_passwords_at_the_way_back_are_stopped(client: Client, person: User) -> None:
    delete(client)
    client.get(path_of(last_mail("account_deletion_asked")))
    for _ in range(5):
        client.post(UNDO, {"password": "not this one"})

    assert client.post(UNDO, {"password": PASSWORD}).status_code == 429


def test_a_closed_address_is_answered_as_every_other(client: Client, person: User) -> None:
    delete(client)
    pages = []
    for email in (person.email, "nobody@example.com"):
        answer = Client().post("/accounts/password/reset/", {"email": email}, follow=True)
        pages.append((answer.status_code, answer.redirect_chain, b"has an account" in answer.content))

    assert pages[0] == pages[1]
    assert len(mails("account_way_back")) == 1


def test_no_table_holds_the_way_back(client: Client, person: User) -> None:
    delete(client)

    assert secret_in(last_mail("account_deletion_asked")) not in dump()
