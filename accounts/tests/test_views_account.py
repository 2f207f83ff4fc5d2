from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Session
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import is_signed_in, last_mail, path_of, sign_in

pytestmark = pytest.mark.django_db

PRIVATE = [
    "profile/",
    "profile/name/",
    "profile/phone/",
    "profile/time-zone/",
    "sessions/",
    "sessions/end/",
    "sessions/end-all/",
    "password/change/",
    "email/change/",
    "delete/",
    "delete/keep/",
]


@pytest.mark.parametrize("path", PRIVATE)
def test_private_pages_need_a_log_in(client: Client, path: str) -> None:
    for answer in (client.get(f"/accounts/{path}"), client.post(f"/accounts/{path}")):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("path", PRIVATE)
def test_private_pages_open_for_the_person(client: Client, path: str) -> None:
    sign_in(client, make_user())

    assert client.get(f"/accounts/{path}").status_code in {200, 302}
    assert is_signed_in(client)


def test_the_profile_lists_each_fact_with_its_own_page(client: Client) -> None:
    user = make_user(phone="(312) 555-0199", time_zone="America/Denver")
    sign_in(client, user)
    page = client.get("/accounts/profile/").content.decode()

    for text in (user.name, user.email, "(312) 555-0199", "Mountain Time (Denver)"):
        assert str(text) in page
    for path in (
        "profile/name/",
        "profile/phone/",
        "profile/time-zone/",
        "email/change/",
        "password/change/",
        "sessions/",
        "delete/",
    ):
        assert f'href="/accounts/{path}"' in page


@pytest.mark.parametrize(
    ("path", "field", "value", "kept"),
    [
        ("name", "name", " Maggie  Ellis ", "Maggie Ellis"),
        ("phone", "phone", "(312) 555-0101", "(312) 555-0101"),
        ("phone", "phone", "", ""),
        ("time-zone", "time_zone", "Europe/Paris", "Europe/Paris"),
        ("time-zone", "time_zone", "", ""),
    ],
)
def test_one_question_a_page(client: Client, path: str, field: str, value: str, kept: str) -> None:
    user = make_user(phone="(312) 555-0199", time_zone="America/Denver")
    sign_in(client, user)
    answer = client.post(f"/accounts/profile/{path}/", {field: value, "role": "admin", "email": "x@example.com"})

    assert answer["Location"] == "/accounts/profile/"
    before = user.email
    user.refresh_from_db()
    assert getattr(user, field) == kept
    assert (user.role, user.email) == ("user", before)


@pytest.mark.parametrize(
    ("path", "button"),
    [("name", "Save my name"), ("phone", "Save my phone number"), ("time-zone", "Save my time zone")],
)
def test_each_button_says_what_it_saves(client: Client, path: str, button: str) -> None:
    sign_in(client, make_user())

    assert f">{button}</button>" in client.get(f"/accounts/profile/{path}/").content.decode()


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [("name", "name", ""), ("name", "name", "x" * 300), ("phone", "phone", "12"), ("time-zone", "time_zone", "Mars")],
)
def test_a_wrong_answer_gets_a_sentence_and_changes_nothing(client: Client, path: str, field: str, value: str) -> None:
    user = make_user()
    sign_in(client, user)
    answer = client.post(f"/accounts/profile/{path}/", {field: value})

    assert answer.status_code == 200
    assert "There is a problem" in answer.content.decode()
    before = getattr(user, field)
    user.refresh_from_db()
    assert getattr(user, field) == before


def test_names_are_shown_as_text(client: Client) -> None:
    sign_in(client, make_user(name="<script>alert(1)</script>"))
    page = client.get("/accounts/profile/").content.decode()

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_devices_are_listed_and_this_one_is_marked(client: Client) -> None:
    user = make_user()
    sign_in(Client(), user, HTTP_USER_AGENT="Mozilla/5.0 (iPad) Version/18 Safari/605")
    sign_in(client, user, HTTP_USER_AGENT="Mozilla/5.0 (Windows NT 10.0) Firefox/140")
    sign_in(Client(), make_user(), HTTP_USER_AGENT="Mozilla/5.0 (Macintosh) Firefox/140")
    page = client.get("/accounts/sessions/").content.decode()

    assert "Safari on an iPad" in page
    assert page.index("Firefox on a Windows computer") < page.index("This device") < page.index("Safari on an iPad")
    assert "Firefox on a Mac" not in page


def test_another_device_is_signed_out_on_its_next_request(client: Client) -> None:
    user = make_user()
    other = Client()
    sign_in(client, user)
    here = Session.objects.get()
    sign_in(other, user)
    there = Session.objects.exclude(pk=here.pk).get()

    assert client.post("/accounts/sessions/end/", {"device": there.pk})["Location"] == "/accounts/sessions/"
    assert is_signed_in(client)
    assert not is_signed_in(other)


def test_ending_this_device_is_signing_out(client: Client) -> None:
    sign_in(client, make_user())
    answer = client.post("/accounts/sessions/end/", {"device": Session.objects.get().pk})

    assert answer["Location"] == "/"
    assert answer["Clear-Site-Data"] == '"cache"'
    assert not is_signed_in(client)


@pytest.mark.parametrize("device", ["", "nonsense", "\x00", "x" * 10_000])
def test_an_unknown_device_is_not_found(client: Client, device: str) -> None:
    sign_in(client, make_user())

    assert client.post("/accounts/sessions/end/", {"device": device}).status_code == 404
    assert is_signed_in(client)


def test_another_persons_device_is_not_found_and_stays(client: Client) -> None:
    other = Client()
    sign_in(other, make_user())
    theirs = Session.objects.get().pk
    sign_in(client, make_user())

    assert client.post("/accounts/sessions/end/", {"device": theirs}).status_code == 404
    assert is_signed_in(other)


def test_all_devices_are_signed_out(client: Client) -> None:
    user = make_user()
    other = Client()
    sign_in(client, user)
    sign_in(other, user)

    assert client.post("/accounts/sessions/end-all/")["Location"] == "/"
    assert Session.objects.count() == 0
    assert not is_signed_in(other)
    assert not is_signed_in(client)


# --- Another address --------------------------------------------------------------------------------------


def test_the_address_moves_by_password_mail_and_button(client: Client) -> None:
    user = make_user(email="old@example.com")
    sign_in(client, user)
    answer = client.post("/accounts/email/change/", {"email": "new@example.com", "current_password": PASSWORD})
    assert answer["Location"] == "/accounts/profile/"
    user.refresh_from_db()
    assert user.email == "old@example.com"

    phone = Client()
    first = phone.get(path_of(last_mail("email_change_confirm")))
    assert first["Location"] == "/accounts/email/change/confirm/"
    assert first["Referrer-Policy"] == "no-referrer"
    phone.get("/accounts/email/change/confirm/")
    user.refresh_from_db()
    assert user.email == "old@example.com"
    phone.post("/accounts/email/change/confirm/")

    user.refresh_from_db()
    assert user.email == "new@example.com"
    assert is_signed_in(client)
    assert not is_signed_in(phone)


def test_the_old_address_brings_the_account_back(client: Client) -> None:
    user = make_user(email="old@example.com")
    thief = Client()
    sign_in(thief, user)
    thief.post("/accounts/email/change/", {"email": "thief@example.com", "current_password": PASSWORD})
    thief.get(path_of(last_mail("email_change_confirm")))
    thief.post("/accounts/email/change/confirm/")

    client.get(path_of(last_mail("email_change_notice")))
    assert "Keep your old address?" in client.get("/accounts/email/change/undo/").content.decode()
    page = client.post("/accounts/email/change/undo/").content.decode()

    assert "Your old address is back" in page
    assert not is_signed_in(thief)
    user.refresh_from_db()
    assert user.email == "old@example.com"


@pytest.mark.parametrize("path", ["/accounts/email/change/confirm/", "/accounts/email/change/undo/"])
def test_made_up_and_missing_links_are_a_clear_page(client: Client, path: str) -> None:
    assert client.get(path).status_code == 410
    client.get(path, {"token": "made up"})
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 410


def test_a_wrong_password_and_ones_own_address_get_a_sentence(client: Client) -> None:
    user = make_user()
    sign_in(client, user)
    page = client.post("/accounts/email/change/", {"email": "n@example.com", "current_password": "wrong"})
    assert "That is not your present password." in page.content.decode()

    page = client.post("/accounts/email/change/", {"email": user.email, "current_password": PASSWORD})
    assert "That is your address already." in page.content.decode()
