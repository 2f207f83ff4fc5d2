"""The person's row remembers that mail does not reach them, so that each page can say so without asking."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import services
from accounts.models import User
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import ACTOR, last_mail, mails, race, secret_in
from emails.models import EmailSuppression
from emails.services import preferences, suppression

pytestmark = pytest.mark.django_db

OLD, NEW = "old@example.com", "new@example.com"


@pytest.fixture
def user() -> User:
    return make_user(email=OLD)


def problem(user: User) -> str:
    return User.objects.values_list("email_problem", flat=True).get(pk=user.pk)


def stop(type: str, email: str = OLD, **more: Any) -> None:
    suppression.add(email=email, type=type, is_at_mailgun=False, **more)


def confirm(secret: str) -> None:
    services.confirm_email_change(secret=secret, actor=ACTOR)


def change_address(user: User) -> None:
    services.request_email_change(user=user, email=NEW, password=PASSWORD, actor=ACTOR)
    confirm(secret_in(last_mail("email_change_confirm")))


def test_a_stop_is_noted_with_its_strongest_cause(user: User) -> None:
    other = make_user()
    stop("manual", email="OLD@example.com")
    assert problem(user) == "manual"
    stop("bounce")
    stop("complaint")

    assert (problem(user), problem(other)) == ("bounce", "")


def test_a_wish_is_no_problem(user: User) -> None:
    stop("unsubscribe")

    assert problem(user) == ""


def test_lifting_and_the_clock_clear_it(user: User) -> None:
    stop("manual")
    suppression.lift(email=OLD, actor=ACTOR, reason="mistake")
    assert problem(user) == ""

    stop("manual")
    EmailSuppression.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    suppression.clear_expired()
    assert problem(user) == ""


def test_another_address_is_looked_at_anew_and_the_choices_go_with_it(user: User) -> None:
    stop("bounce")
    preferences.save(email=OLD, wants_news=False, wants_reminders=True)
    change_address(user)

    assert problem(user) == ""
    assert not preferences.get(NEW).wants_news
    assert preferences.get(NEW).wants_reminders


def test_the_new_address_may_be_stopped_too(user: User) -> None:
    stop("manual", email=NEW)
    change_address(user)

    assert problem(user) == "manual"


def test_going_back_brings_problem_and_choices_back(user: User) -> None:
    preferences.save(email=OLD, wants_news=True, wants_reminders=False)
    change_address(user)
    stop("bounce")
    services.undo_email_change(secret=secret_in(mails("email_change_notice")[-1]), actor=ACTOR)

    assert problem(user) == "bounce"
    assert not preferences.get(OLD).wants_reminders


def test_signing_up_with_a_stopped_address_is_known_at_once() -> None:
    stop("bounce", email=NEW)
    services.sign_up(name="Ruth", email=NEW, password="porch lantern river walk", browser="b", actor=ACTOR)

    assert User.objects.get(email=NEW).email_problem == "bounce"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stopped", ["old", "new"])
def test_an_address_may_be_stopped_while_it_is_being_changed(stopped: str) -> None:
    """Neither waits for the other in a ring, and the row says what holds at the end, whoever was first."""
    for number in range(8):
        user = make_user(email=f"old{number}@example.com")
        new = f"new{number}@example.com"
        services.request_email_change(user=user, email=new, password=PASSWORD, actor=ACTOR)
        secret = secret_in(last_mail("email_change_confirm"))
        bounce = partial(stop, "bounce", email=f"{stopped}{number}@example.com")
        results = race(lambda act: act(), [partial(confirm, secret), bounce])

        user.refresh_from_db()
        assert results == [None, None]
        assert user.email == new
        assert user.email_problem == suppression.problem(new) == ("bounce" if stopped == "new" else "")


class TestBanner:
    def test_every_page_of_theirs_says_so(self, client: Client, user: User) -> None:
        stop("bounce")
        client.force_login(user)
        for name in ("home", "help", "dashboard", "accounts:profile"):
            text = client.get(reverse(name)).content.decode()
            assert "We cannot reach you by email" in text, name
            assert OLD in text
            assert reverse("accounts:email_change") in text

    @pytest.mark.parametrize("type", ["complaint", "manual"])
    def test_other_causes_lead_to_what_can_be_done(self, client: Client, user: User, type: str) -> None:
        stop(type)
        client.force_login(user)
        text = client.get(reverse("help")).content.decode()

        assert "We do not write to you any more" in text
        assert reverse("emails:choices") in text

    def test_nobody_else_reads_it(self, client: Client, user: User) -> None:
        stop("bounce")
        assert "We cannot reach you" not in client.get(reverse("help")).content.decode()
        client.force_login(make_user())
        assert "We cannot reach you" not in client.get(reverse("help")).content.decode()

    def test_it_costs_no_query(self, client: Client, user: User, django_assert_num_queries: Any) -> None:
        client.force_login(user)
        client.get(reverse("help"))
        with django_assert_num_queries(2):  # the session and the person, as without it
            client.get(reverse("help"))
        stop("bounce")
        with django_assert_num_queries(2):
            assert "We cannot reach you" in client.get(reverse("help")).content.decode()
