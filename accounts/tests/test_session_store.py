from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.db.models import F
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, Session
from accounts.session_store import SessionMiddleware, SessionStore, row_id
from accounts.tests.factories import PASSWORD, make_admin, make_user
from accounts.tests.helpers import is_signed_in, sign_in

pytestmark = pytest.mark.django_db

PROFILE = "/accounts/profile/"


def key_of(client: Client) -> str:
    return client.cookies["sessionid"].value


def test_a_visitor_who_is_not_signed_in_writes_no_row_and_gets_no_session_cookie(client: Client) -> None:
    client.get(reverse("accounts:login"))
    client.post(reverse("accounts:login"), {"email": "nobody@example.com", "password": "wrong"})

    assert Session.objects.count() == 0
    assert "sessionid" not in client.cookies


def test_what_a_signed_out_visitor_puts_into_the_session_is_not_kept() -> None:
    store = SessionStore()
    store["chosen"] = "10:00"
    store.save()

    assert Session.objects.count() == 0


def test_the_row_is_kept_under_the_digest_of_the_cookie(client: Client) -> None:
    sign_in(client, make_user())

    row = Session.objects.get()
    assert row.pk == hashlib.sha256(key_of(client).encode()).hexdigest()
    assert key_of(client) not in row.session_data


def test_a_value_of_the_table_opens_nothing_as_a_cookie(client: Client) -> None:
    sign_in(client, make_user())
    client.cookies["sessionid"] = Session.objects.get().pk

    assert not is_signed_in(client)


def test_a_planted_key_is_never_taken_up(client: Client) -> None:
    client.cookies["sessionid"] = "planted-planted-planted-planted-1"
    sign_in(client, make_user())

    assert key_of(client) != "planted-planted-planted-planted-1"
    assert not Session.objects.filter(pk=row_id("planted-planted-planted-planted-1")).exists()


def test_signing_in_again_gives_a_new_key_and_the_old_one_is_dead(client: Client) -> None:
    user = make_user()
    sign_in(client, user)
    old = key_of(client)
    sign_in(client, user)

    assert key_of(client) != old
    other = Client()
    other.cookies["sessionid"] = old
    assert not is_signed_in(other)


def test_the_row_remembers_network_and_device(client: Client) -> None:
    sign_in(client, make_user(), HTTP_USER_AGENT="Mozilla/5.0 (iPad) Safari/605", REMOTE_ADDR="198.51.100.4")

    row = Session.objects.get()
    assert (row.ip_address, row.user_agent) == ("198.51.100.4", "Mozilla/5.0 (iPad) Safari/605")


def test_the_row_of_an_ended_session_signs_its_next_request_out(client: Client) -> None:
    sign_in(client, make_user())
    Session.objects.all().delete()

    answer = client.get(PROFILE)

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("accounts:login"))
    assert answer.cookies["sessionid"].value == ""


def test_a_session_ended_while_its_request_runs_is_answered_and_its_cookie_taken_back() -> None:
    user = make_user()
    client = Client()
    sign_in(client, user)
    request = RequestFactory().get("/")
    request.COOKIES["sessionid"] = key_of(client)

    def view(request: Any) -> HttpResponse:
        request.session["note"] = "changed"
        Session.objects.all().delete()
        return HttpResponse("fine")

    answer: Any = SessionMiddleware(view)(request)

    assert answer.status_code == 200
    assert answer.cookies["sessionid"].value == ""
    assert Session.objects.count() == 0


def test_saving_a_row_that_vanished_does_not_bring_it_back() -> None:
    client = Client()
    sign_in(client, make_user())
    store = SessionStore(key_of(client))
    assert store.is_signed_in
    Session.objects.all().delete()

    with pytest.raises(UpdateError):
        store.save()


def test_saving_keeps_the_moment_of_signing_in(client: Client) -> None:
    sign_in(client, make_user())
    long_ago = timezone.now() - timedelta(days=3)
    Session.objects.update(created_at=long_ago)
    store = SessionStore(key_of(client))
    store["note"] = "kept"
    store.save()

    assert Session.objects.get().created_at == long_ago
    assert SessionStore(key_of(client))["note"] == "kept"


def test_a_new_key_keeps_content_and_age_and_kills_the_old_one(client: Client) -> None:
    sign_in(client, make_user())
    long_ago = timezone.now() - timedelta(days=3)
    Session.objects.update(created_at=long_ago)
    store = SessionStore(key_of(client))
    store["note"] = "kept"
    store.cycle_key()
    store.save()

    assert Session.objects.get().created_at == long_ago
    assert SessionStore(store.session_key)["note"] == "kept"
    assert not SessionStore(key_of(client)).is_signed_in


@pytest.mark.parametrize(
    ("role", "unused_for", "still_in"),
    [
        (Role.USER, timedelta(days=13, hours=23), True),
        (Role.USER, timedelta(days=14, minutes=1), False),
        (Role.ADMIN, timedelta(minutes=29), True),
        (Role.ADMIN, timedelta(minutes=31), False),
    ],
)
def test_a_session_ends_when_it_is_not_used(role: Role, unused_for: timedelta, still_in: bool, client: Client) -> None:
    sign_in(client, make_admin() if role == Role.ADMIN else make_user())
    Session.objects.update(
        last_seen_at=F("last_seen_at") - unused_for,
        created_at=F("created_at") - unused_for,
        expires_at=F("expires_at") - unused_for,
    )

    assert is_signed_in(client) is still_in


@pytest.mark.parametrize(
    ("role", "age", "still_in"),
    [
        (Role.USER, timedelta(days=29, hours=23), True),
        (Role.USER, timedelta(days=30, minutes=1), False),
        (Role.ADMIN, timedelta(hours=11, minutes=59), True),
        (Role.ADMIN, timedelta(hours=12, minutes=1), False),
    ],
)
def test_a_session_ends_at_its_full_age_however_much_it_is_used(
    role: Role, age: timedelta, still_in: bool, client: Client
) -> None:
    sign_in(client, make_admin() if role == Role.ADMIN else make_user())
    Session.objects.update(created_at=F("created_at") - age, last_seen_at=F("last_seen_at") - timedelta(minutes=10))
    client.get(PROFILE)  # being seen may push the end back, but not past the full age

    assert is_signed_in(client) is still_in


def test_being_seen_is_written_at_most_once_in_a_few_minutes(client: Client, django_assert_num_queries: Any) -> None:
    sign_in(client, make_user())
    with django_assert_num_queries(2):
        client.get(PROFILE)
    earlier = timezone.now() - timedelta(minutes=6)
    Session.objects.update(last_seen_at=earlier)

    with django_assert_num_queries(3):
        client.get(PROFILE)

    assert Session.objects.get().last_seen_at > earlier
    with django_assert_num_queries(2):
        client.get(PROFILE)


def test_a_signed_in_request_costs_the_session_and_the_person(client: Client, django_assert_num_queries: Any) -> None:
    sign_in(client, make_user())

    with django_assert_num_queries(2) as asked:
        client.get(PROFILE)

    assert ["FROM sessions" in asked[0]["sql"], "FROM users" in asked[1]["sql"]] == [True, True]


def test_a_public_page_without_a_session_asks_nobody(client: Client, django_assert_num_queries: Any) -> None:
    client.get(reverse("accounts:login"))  # warms the settings

    with django_assert_num_queries(0):
        client.get(reverse("accounts:login"))


def test_rotating_the_secret_key_signs_nobody_out(client: Client, settings: Any) -> None:
    sign_in(client, make_user())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-secret-key-" + "1" * 40

    assert is_signed_in(client)
    assert is_signed_in(client)
    assert Session.objects.count() == 1


def test_a_row_moved_to_another_person_opens_nothing(client: Client) -> None:
    sign_in(client, make_user())
    Session.objects.update(user=make_user())

    assert not is_signed_in(client)


def test_a_new_role_ends_the_sessions_of_the_old_one(client: Client) -> None:
    user = make_user()
    sign_in(client, user)
    user.role = Role.ADMIN
    user.save()

    assert not is_signed_in(client)


def test_a_deleted_person_is_signed_out_on_the_next_request(client: Client) -> None:
    user = make_user()
    sign_in(client, user)
    user.deleted_at = timezone.now()
    user.save()

    assert not is_signed_in(client)


def test_the_cookie_is_for_this_site_alone_and_ends_with_the_session(client: Client, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    answer = sign_in(client, make_user())

    cookie = answer.cookies["sessionid"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    assert 0 < cookie["max-age"] <= 30 * 24 * 3600


def test_the_cookie_of_staff_is_kept_for_half_a_day(client: Client) -> None:
    answer = sign_in(client, make_admin())

    assert answer.cookies["sessionid"]["max-age"] <= 12 * 3600


@pytest.mark.parametrize("key", ["", "short", "x" * 100_000, "a\x00b" * 20, "\udc80" * 20, "é" * 40])
def test_no_cookie_value_breaks_a_page(key: str) -> None:
    store = SessionStore(key)

    assert store.get(SESSION_KEY) is None


def test_expired_rows_are_cleared() -> None:
    client = Client()
    sign_in(client, make_user(), PASSWORD)
    Session.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    SessionStore.clear_expired()

    assert Session.objects.count() == 0


def test_djangos_test_client_can_force_a_log_in(client: Client) -> None:
    client.force_login(make_user())

    assert is_signed_in(client)


def test_a_failed_page_changes_no_session() -> None:
    client = Client()
    sign_in(client, make_user())
    request = RequestFactory().get("/")
    request.COOKIES["sessionid"] = key_of(client)

    def view(request: Any) -> HttpResponse:
        request.session["note"] = "half done"
        return HttpResponse(status=500)

    SessionMiddleware(view)(request)

    assert "note" not in SessionStore(key_of(client))
