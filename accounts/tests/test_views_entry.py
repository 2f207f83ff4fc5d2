"""Coming in: the pages of signing up, proving the address, signing in and out."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, Session, User
from accounts.signed_cookies import KNOWN_DEVICE, SIGNING_UP, VERIFY_LINK
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import is_signed_in, last_mail, mails, old_hash, path_of, sign_in
from settings_app.models import RateLimit

pytestmark = pytest.mark.django_db

SIGNUP, LOGIN, VERIFY = "/accounts/signup/", "/accounts/login/", "/accounts/verify/"
FORM = {"name": "Margaret Ellis", "email": "margaret@example.com", "password": PASSWORD}

OTHER_PLACES = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/ /evil.example",
    " //evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "http:///evil.example",
    "HTTPS://EVIL.EXAMPLE",
    "//user@evil.example",
    "https://testserver@evil.example",
    "https://testserver.evil.example",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,hello",
    "evil.example",
    "@evil.example",
    "?next=//evil.example",
    "#//evil.example",
    "ftp://testserver/",
    "/\x00/evil.example",
    "/x\r\nLocation: //evil.example",
    "/" + "x" * 5_000,
    "",
]


def start(client: Client, **fields: str) -> Any:
    return client.post(SIGNUP, {**FORM, **fields})


def test_every_page_opens(client: Client) -> None:
    for name in ("signup", "login", "logout", "verify", "password_reset", "password_reset_sent"):
        assert client.get(reverse(f"accounts:{name}")).status_code == 200


# --- Signing up and proving -------------------------------------------------------------------------------


def test_signing_up_leads_to_the_page_that_shows_the_address(client: Client) -> None:
    answer = start(client)

    assert answer["Location"] == VERIFY
    page = client.get(VERIFY).content.decode()
    assert "Look in your email" in page
    assert "margaret@example.com" in page
    assert "Send it again" in page
    assert "Wrong address?" in page


def test_after_the_code_the_person_is_signed_in_and_where_they_were_going(client: Client) -> None:
    start(client, next="/booking/?view=list")
    answer = client.post(VERIFY, {"code": last_mail("verify_email")["code"]})

    assert answer["Location"] == "/booking/?view=list"
    assert is_signed_in(client)
    assert User.objects.get().email_verified


def test_after_the_link_in_the_same_browser_the_person_is_signed_in_and_where_they_were_going(client: Client) -> None:
    start(client, next="/booking/")
    client.get(path_of(last_mail("verify_email")))
    answer = client.post(VERIFY)

    assert answer["Location"] == "/booking/"
    assert is_signed_in(client)


def test_after_the_link_on_another_device_the_person_signs_in(client: Client) -> None:
    start(client)
    phone = Client()
    phone.get(path_of(last_mail("verify_email")))
    answer = phone.post(VERIFY)

    assert answer["Location"] == LOGIN
    assert not is_signed_in(phone)
    assert User.objects.get().email_verified


def test_looking_at_a_mailed_link_changes_nothing_however_often(client: Client) -> None:
    start(client)
    path = path_of(last_mail("verify_email"))
    for _ in range(5):
        scanner = Client()
        scanner.get(path, follow=True)
        scanner.head(path)
        scanner.get(VERIFY)
    assert not User.objects.get().email_verified

    client.get(path)
    client.post(VERIFY)
    assert User.objects.get().email_verified


def test_the_secret_leaves_the_address_by_a_redirect_that_nobody_keeps(client: Client) -> None:
    start(client)
    answer = client.get(path_of(last_mail("verify_email")))

    assert answer.status_code == 302
    assert answer["Location"] == VERIFY
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    cookie = answer.cookies[VERIFY_LINK]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    page = client.get(VERIFY)
    assert last_mail("verify_email")["button_url"].partition("token=")[2] not in page.content.decode()
    assert "no-store" in page["Cache-Control"]


def test_a_used_link_leads_to_a_clear_page(client: Client) -> None:
    start(client)
    path = path_of(last_mail("verify_email"))
    client.get(path)
    client.post(VERIFY)
    other = Client()
    other.get(path)
    answer = other.post(VERIFY)

    assert answer.status_code == 200
    assert "That link does not work any more" in answer.content.decode()
    assert not is_signed_in(other)


def test_a_used_link_says_to_a_confirmed_person_that_all_is_done(client: Client) -> None:
    start(client)
    path = path_of(last_mail("verify_email"))
    client.get(path)
    client.post(VERIFY)
    client.get(path)
    answer = client.post(VERIFY)
    page = answer.content.decode()

    assert answer.status_code == 200
    assert "Your address is already confirmed" in page
    assert 'href="/dashboard/"' in page
    assert "does not work any more" not in page
    assert answer.cookies[VERIFY_LINK].value == ""


def test_a_wrong_code_gets_a_sentence_beside_its_box(client: Client) -> None:
    start(client)
    answer = client.post(VERIFY, {"code": "12"})
    assert "The code has six digits" in answer.content.decode()

    code = str(last_mail("verify_email")["code"]).replace(" ", "")
    answer = client.post(VERIFY, {"code": "000000" if code != "000000" else "111111"})
    assert "That code is not right" in answer.content.decode()
    assert not User.objects.get().email_verified


def test_a_code_without_a_sign_up_leads_back(client: Client) -> None:
    assert client.post(VERIFY, {"code": "123456"})["Location"] == VERIFY
    assert client.post(VERIFY)["Location"] == VERIFY
    assert client.post("/accounts/verify/send/")["Location"] == VERIFY
    assert client.get("/accounts/verify/send/")["Location"] == VERIFY


def test_the_mail_is_sent_again(client: Client) -> None:
    start(client)
    answer = client.post("/accounts/verify/send/")

    assert answer["Location"] == VERIFY
    assert len(mails("verify_email")) == 2
    client.post(VERIFY, {"code": last_mail("verify_email")["code"]})
    assert is_signed_in(client)


def test_an_unproven_person_who_signed_in_may_prove_from_there(client: Client) -> None:
    user = make_user(email_verified=False)
    sign_in(client, user)
    assert user.email in client.get(VERIFY).content.decode()
    client.post("/accounts/verify/send/")
    client.post(VERIFY, {"code": last_mail("verify_email")["code"]})

    user.refresh_from_db()
    assert user.email_verified
    assert is_signed_in(client)


def test_an_unproven_person_is_told_on_the_profile(client: Client) -> None:
    sign_in(client, make_user(email_verified=False))

    assert "Please confirm your email address" in client.get("/accounts/profile/").content.decode()


def test_a_forged_cookie_is_worth_nothing(client: Client) -> None:
    start(client)
    for name in (SIGNING_UP, VERIFY_LINK, KNOWN_DEVICE):
        client.cookies[name] = "eyJlbWFpbCI6InhAeC54In0:1abc:forged"

    assert client.get(VERIFY).status_code == 200
    assert client.post(VERIFY, {"code": "123456"})["Location"] == VERIFY


def test_extra_fields_are_ignored(client: Client) -> None:
    start(client, role="admin", is_superuser="1", email_verified="1", id="7", must_change_password="1", deleted_at="x")

    user = User.objects.get()
    assert (user.role, user.is_superuser, user.email_verified) == (Role.USER, False, False)


def test_a_wrong_form_keeps_what_was_typed_but_the_password(client: Client) -> None:
    page = start(client, password="short word").content.decode()

    assert "<title>Error: Make an account" in page
    assert 'value="Margaret Ellis"' in page
    assert 'value="margaret@example.com"' in page
    assert "short word" not in page
    assert "Your password is too short. Use 12 letters or more." in page
    assert User.objects.count() == 0


@pytest.mark.parametrize("field", ["name", "email", "password", "time_zone", "next", "code", "token"])
@pytest.mark.parametrize("value", ["\x00", "\ud800", "x" * 100_000, "<script>alert(1)</script>", "' OR 1=1 --", "१२३"])
def test_no_typed_text_breaks_a_page(client: Client, field: str, value: str) -> None:
    text = value.encode(errors="surrogatepass")
    for path in (SIGNUP, LOGIN, VERIFY, "/accounts/verify/send/", "/accounts/password/reset/"):
        answer = client.post(path, {**FORM, field: text})
        assert answer.status_code < 500
        answer = client.get(path, {field: text})
        assert answer.status_code < 500


def test_a_page_of_a_megabyte_is_answered(client: Client) -> None:
    user = make_user()
    for path in (SIGNUP, LOGIN):
        answer = client.post(path, {**FORM, "email": user.email, "password": "x" * 1_000_000})
        assert answer.status_code == 200


# --- Signing in and out -----------------------------------------------------------------------------------


def test_signing_in_leads_where_the_person_was_going(client: Client) -> None:
    user = make_user()
    answer = client.post(LOGIN, {"email": user.email, "password": PASSWORD, "next": "/booking/"})

    assert answer.status_code == 302
    assert answer["Location"] == "/booking/"
    assert Session.objects.get().user == user


def test_an_unproven_person_is_asked_for_the_proof_once(client: Client) -> None:
    user = make_user(email_verified=False)
    typed = {"email": user.email, "password": PASSWORD}
    own = client.post(LOGIN, typed, follow=True).content.decode()
    profile = Client().post(LOGIN, {**typed, "next": "/accounts/profile/"}, follow=True).content.decode()
    times = Client().post(LOGIN, {**typed, "next": "/booking/"}, follow=True).content.decode()

    assert own.count('class="alert') == profile.count('class="alert') == 1
    assert "Please tell us that this is your email address" in own
    assert "Write the code, or send the email again" in own
    assert "Please confirm your email address. You cannot book before that." in times


def test_the_page_that_asked_for_a_log_in_is_found_again(client: Client) -> None:
    user = make_user()
    asked = client.get("/accounts/profile/phone/")
    assert asked["Location"] == f"{LOGIN}?next=/accounts/profile/phone/"
    page = client.get(asked["Location"]).content.decode()
    assert '<input type="hidden" name="next" value="/accounts/profile/phone/">' in page

    answer = client.post(LOGIN, {"email": user.email, "password": PASSWORD, "next": "/accounts/profile/phone/"})
    assert answer["Location"] == "/accounts/profile/phone/"


@pytest.mark.parametrize("place", OTHER_PLACES)
def test_nobody_is_led_to_another_site(client: Client, place: str) -> None:
    user = make_user()

    answer = client.post(LOGIN, {"email": user.email, "password": PASSWORD, "next": place})
    assert answer["Location"] == "/dashboard/"
    assert client.get(LOGIN, {"next": place})["Location"] == "/dashboard/"
    start(client := Client(), next=place)
    assert client.post(VERIFY, {"code": last_mail("verify_email")["code"]})["Location"] == "/dashboard/"


def test_a_path_of_ours_that_looks_odd_stays_ours(client: Client) -> None:
    answer = client.post(LOGIN, {"email": make_user().email, "password": PASSWORD, "next": "/%2f%2fevil.example"})

    assert answer["Location"] == "/%2f%2fevil.example"


def test_a_wrong_password_gets_the_sentence_and_keeps_the_address(client: Client) -> None:
    user = make_user()
    answer = client.post(LOGIN, {"email": user.email, "password": "wrong word"})
    page = answer.content.decode()

    assert answer.status_code == 200
    assert "That email and password do not match. Please try again." in page
    assert user.email in page
    assert "wrong word" not in page
    assert "no-store" in answer["Cache-Control"]


def test_blocked_is_429_with_the_true_wait(client: Client) -> None:
    user = make_user()
    for _ in range(5):
        client.post(LOGIN, {"email": user.email, "password": "wrong"})
    answer = client.post(LOGIN, {"email": user.email, "password": PASSWORD})

    assert answer.status_code == 429
    assert 890 <= int(answer["Retry-After"]) <= 900
    assert not is_signed_in(client)


def test_thirty_tries_a_minute_from_one_network_whatever_it_claims(client: Client) -> None:
    codes = [
        client.post(
            LOGIN,
            {"email": f"nobody{number}@example.com", "password": "wrong"},
            HTTP_X_FORWARDED_FOR=f"203.0.113.{number}",
            HTTP_X_REAL_IP=f"203.0.113.{number}",
        ).status_code
        for number in range(50)
    ]

    assert codes == [200] * 30 + [429] * 20


def test_an_owner_on_a_known_device_gets_in_while_a_stranger_guesses(client: Client) -> None:
    user = make_user()
    sign_in(client, user)
    client.post("/accounts/logout/")
    stranger = Client()
    for _ in range(25):
        sign_in(stranger, user, "wrong")
    RateLimit.objects.filter(endpoint="limit_login_per_address").delete()

    assert sign_in(stranger, user).status_code == 429
    assert sign_in(client, user).status_code == 302


def test_the_mark_of_a_device_is_not_the_session(client: Client) -> None:
    answer = sign_in(client, make_user())
    mark = answer.cookies[KNOWN_DEVICE]

    assert (mark["httponly"], mark["samesite"], mark["path"]) == (True, "Lax", "/")
    client.cookies.pop("sessionid")
    assert not is_signed_in(client)


def test_production_cookies_bear_the_host_prefix(client: Client, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    answer = sign_in(client, make_user())

    mark = answer.cookies[f"__Host-{KNOWN_DEVICE}"]
    assert (mark["secure"], mark["httponly"], mark["path"], mark["domain"]) == (True, True, "/", "")


def test_signing_out_ends_the_row_and_clears_what_the_device_kept(client: Client) -> None:
    sign_in(client, make_user())
    key = client.cookies["sessionid"].value
    answer = client.post("/accounts/logout/")

    assert answer["Location"] == "/"
    assert answer["Clear-Site-Data"] == '"cache"'
    assert Session.objects.count() == 0
    client.cookies["sessionid"] = key
    assert not is_signed_in(client)


def test_looking_at_the_sign_out_page_signs_nobody_out(client: Client) -> None:
    sign_in(client, make_user())
    client.get("/accounts/logout/")

    assert is_signed_in(client)


def test_signing_out_twice_is_no_error(client: Client) -> None:
    assert client.post("/accounts/logout/").status_code == 302


def test_signed_in_pages_are_kept_by_nobody(client: Client) -> None:
    sign_in(client, make_user())

    assert "no-store" in client.get("/accounts/profile/")["Cache-Control"]


def test_signed_in_people_are_led_on_from_the_pages_of_coming_in(client: Client) -> None:
    sign_in(client, make_user())

    for path in (SIGNUP, LOGIN, VERIFY):
        assert client.get(path)["Location"] == "/dashboard/"


@pytest.mark.parametrize("name", ["signup", "login", "logout", "verify", "verify_send", "password_reset"])
def test_every_form_needs_its_token_and_its_own_origin(name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.get(LOGIN)
    token = page.context["csrf_token"]
    path = reverse(f"accounts:{name}")

    assert client.post(path, {}).status_code == 403
    data = {"csrfmiddlewaretoken": str(token)}
    assert client.post(path, data, HTTP_ORIGIN="https://evil.example").status_code == 403
    assert client.post(path, data, HTTP_ORIGIN="null").status_code == 403
    assert client.post(path, data, HTTP_ORIGIN="http://testserver").status_code != 403


def test_somebody_who_must_choose_a_new_password_is_led_there(client: Client) -> None:
    user = make_user(must_change_password=True)
    sign_in(client, user)

    assert client.get("/accounts/profile/")["Location"] == "/accounts/password/change/"
    assert "Please choose a new password" in client.get("/accounts/password/change/").content.decode()
    client.post("/accounts/password/change/", {"current_password": PASSWORD, "password": "green lamp thursday"})
    assert is_signed_in(client)


# --- Known and unknown are answered alike -----------------------------------------------------------------


def plain(answer: Any) -> tuple[int, list[tuple[str, str]], list[str], str]:
    """Status, headers, cookie names and body, without what is random by design."""
    body = answer.content.decode()
    token = str(answer.context["csrf_token"]) if answer.context and "csrf_token" in answer.context else "-"
    return answer.status_code, sorted(answer.items()), sorted(answer.cookies), body.replace(token, "token")


def make_kind(kind: str, email: str) -> None:
    if kind == "unknown":
        return
    user = make_user(
        email=email,
        email_verified=kind != "unproven",
        deleted_at=timezone.now() if kind == "deleted" else None,
    )
    if kind == "old":
        user.password = old_hash("correct horse battery")
        user.save()


KINDS = ["unknown", "known", "deleted", "unproven", "old"]


@pytest.mark.parametrize("path", [SIGNUP, LOGIN, "/accounts/password/reset/"])
def test_one_page_answers_all_kinds_of_addresses_alike(path: str) -> None:
    answers = []
    for kind in KINDS:
        with transaction.atomic():
            make_kind(kind, FORM["email"])
            client = Client()
            data = {**FORM, "password": "wrong but long enough"}
            pages = [client.post(path, data), client.get(VERIFY), client.post(VERIFY + "send/")]
            answers.append([plain(page) for page in pages])
            transaction.set_rollback(True)

    assert answers == [answers[0]] * len(KINDS)
