from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.utils import timezone

from accounts import backends
from accounts.backends import EmailBackend, find, highest_old_cost, password_opens
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import old_hash

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("typed", ["Margaret@Example.com", "margaret@example.com", "  MARGARET@EXAMPLE.COM "])
def test_addresses_are_compared_without_case_and_trimmed(typed: str) -> None:
    user = make_user(email="Margaret@example.com")

    assert find(typed) == user


@pytest.mark.parametrize("typed", ["", "\x00", "a\x00@b.c", "\ud800@b.c", "x" * 100_000, "' OR 1=1 --", "%"])
def test_any_text_may_be_asked_for(typed: str) -> None:
    assert find(typed) is None


def test_the_right_password_opens_and_a_wrong_one_does_not() -> None:
    user = make_user()

    assert authenticate(username=user.email, password=PASSWORD) == user
    assert authenticate(username=user.email, password=PASSWORD + "x") is None
    assert authenticate(username=user.email, password="") is None
    assert authenticate(username="nobody@example.com", password=PASSWORD) is None


def test_the_deleted_are_nobody() -> None:
    user = make_user(deleted_at=timezone.now())

    assert authenticate(username=user.email, password=PASSWORD) is None
    assert EmailBackend().get_user(user.pk) is None


def test_an_old_hash_opens_once_and_is_argon2_from_then_on() -> None:
    user = make_user()
    user.password = old_hash("correct horse battery")
    user.save()

    assert password_opens(find(user.email), "correct horse battery")

    user.refresh_from_db()
    assert user.password.startswith("argon2$")
    assert password_opens(user, "correct horse battery")


def test_an_old_password_of_80_characters_opens_and_afterwards_its_72_do_not() -> None:
    long = "abcdefgh" * 10
    user = make_user()
    user.password = old_hash(long)
    user.save()

    assert password_opens(find(user.email), long)
    assert not password_opens(find(user.email), long[:72])
    assert password_opens(find(user.email), long)


def test_a_wrong_password_leaves_the_old_hash() -> None:
    user = make_user()
    user.password = old_hash("correct horse battery")
    user.save()

    assert not password_opens(find(user.email), "wrong")

    user.refresh_from_db()
    assert user.password.startswith("bcrypt$")


def test_hashing_anew_does_not_undo_a_change_made_meanwhile() -> None:
    user = make_user()
    user.password = old_hash("correct horse battery")
    user.save()
    stale = find(user.email)
    user.set_password("changed in the meantime")
    user.save()

    assert password_opens(stale, "correct horse battery")

    user.refresh_from_db()
    assert user.check_password("changed in the meantime")


@pytest.mark.parametrize("kind", ["argon2", "bcrypt"])
@pytest.mark.parametrize("password", ["a\x00b", "\ud800", "x" * 1_000_000, "y" * 73, "é" * 100, "🙂" * 30])
def test_no_password_breaks_the_door(password: str, kind: str) -> None:
    user = make_user()
    if kind == "bcrypt":
        user.password = old_hash("correct horse battery")
        user.save()

    assert password_opens(find(user.email), password) is False


def test_the_dearest_old_hash_is_known_and_asked_for_rarely(django_assert_num_queries: Any) -> None:
    make_user(password=None)
    assert highest_old_cost() == 0
    backends._old_cost = None
    for cost in (4, 6):
        user = make_user()
        user.password = old_hash("word", cost)
        user.save()
    gone = make_user(deleted_at=timezone.now())
    gone.password = old_hash("word", 8)
    gone.save()

    assert highest_old_cost() == 6
    with django_assert_num_queries(0):
        highest_old_cost()
