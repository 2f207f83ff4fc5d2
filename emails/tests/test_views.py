"""Choosing mail on the page of who is signed in, and by the link in a mail without a log-in."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.signing import Signer
from django.test import Client
from django.urls import reverse

from audit.actors import Actor
from emails import unsubscribing
from emails.models import EmailPreference, EmailSuppression
from emails.services import preferences, suppression
from emails.services.preferences import Choices
from settings_app import services as site_settings
from settings_app.registry import WINDOW_SECONDS

pytestmark = pytest.mark.django_db

ADDRESS = "margaret@example.com"
ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


def path_for(choice: str = "news", email: str = ADDRESS) -> str:
    return urlsplit(unsubscribing.link(email, choice)).path


def press_in_mail_program(path: str, client: Client | None = None) -> Any:
    """What RFC 8058 sends: no cookie, no token of ours, a fixed body."""
    return (client or Client(enforce_csrf_checks=True)).post(path, ONE_CLICK, content_type=FORM)


def nothing_changed() -> bool:
    return not EmailPreference.objects.exists() and not EmailSuppression.objects.exists()


class TestToken:
    def test_it_names_address_and_choice(self) -> None:
        assert unsubscribing.read_token(unsubscribing.make_token("Margaret@Example.com", "news")) == (ADDRESS, "news")

    def test_the_headers_of_a_mail(self) -> None:
        found = unsubscribing.headers(ADDRESS, "news")

        assert found["List-Unsubscribe"] == f"<{settings.SITE_URL}{path_for()}>"
        assert found["List-Unsubscribe-Post"] == ONE_CLICK

    def test_it_survives_a_new_key_as_long_as_the_old_one_is_known(self, settings: Any) -> None:
        token = unsubscribing.make_token(ADDRESS, "reminders")
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new key " * 5, [settings.SECRET_KEY]
        assert unsubscribing.read_token(token) == (ADDRESS, "reminders")
        settings.SECRET_KEY_FALLBACKS = []
        assert unsubscribing.read_token(token) is None

    @pytest.mark.parametrize(
        "value",
        [{"to": ADDRESS}, {"to": ADDRESS, "choice": "receipts"}, [ADDRESS, "news"], {"to": ADDRESS, "choice": ""}],
    )
    def test_other_contents_are_refused_even_when_signed(self, value: Any) -> None:
        token = Signer(salt=unsubscribing.SALT).sign_object(value)
        known = unsubscribing.read_token(token)

        assert known is None or known[1] == ""

    def test_a_token_made_for_something_else_does_not_fit(self) -> None:
        token = Signer(salt="another").sign_object({"to": ADDRESS, "choice": "news"})

        assert unsubscribing.read_token(token) is None


class TestLink:
    @pytest.mark.parametrize("method", ["get", "head"])
    def test_looking_changes_nothing(self, client: Client, method: str) -> None:
        answer = getattr(client, method)(path_for())

        assert answer.status_code == 200
        assert nothing_changed()

    def test_the_page_says_what_and_whose(self, client: Client) -> None:
        page = client.get(path_for())
        text = page.content.decode()

        assert "Stop news and tips?" in text
        assert "m•••@example.com" in text
        assert ADDRESS not in text
        assert page["X-Robots-Tag"] == "noindex, nofollow"
        assert '<meta name="robots" content="noindex">' in text
        assert "no-store" in page["Cache-Control"]
        assert settings.CSRF_COOKIE_NAME not in page.cookies

    def test_a_mail_program_presses_without_cookie_or_log_in(self) -> None:
        answer = press_in_mail_program(path_for())

        assert answer.status_code == 200
        assert not answer.cookies
        assert preferences.get(ADDRESS) == Choices(wants_news=False, wants_reminders=True)
        assert EmailSuppression.objects.get().type == "unsubscribe"

    def test_again_and_again_is_the_same(self) -> None:
        for _ in range(3):
            assert press_in_mail_program(path_for("reminders")).status_code == 200

        assert preferences.get(ADDRESS) == Choices(wants_news=True, wants_reminders=False)
        assert (EmailPreference.objects.count(), EmailSuppression.objects.count()) == (1, 1)

    def test_some_programs_send_it_as_a_form_with_parts(self) -> None:
        answer = Client(enforce_csrf_checks=True).post(path_for(), {"List-Unsubscribe": "One-Click"})

        assert answer.status_code == 200
        assert not preferences.get(ADDRESS).wants_news

    def test_an_unexpected_body_still_stops_the_mail(self) -> None:
        answer = Client(enforce_csrf_checks=True).post(path_for(), "\x00{", content_type="application/json")

        assert answer.status_code == 200
        assert not preferences.get(ADDRESS).wants_news

    def test_a_person_presses_and_takes_it_back(self, client: Client) -> None:
        page = client.post(path_for(), {"act": "stop"})
        assert "We have stopped news and tips" in page.content.decode()
        assert "Send them again" in page.content.decode()
        assert "We have stopped news and tips" in client.get(path_for()).content.decode()

        page = client.post(path_for(), {"act": "again"})
        assert "You get news and tips again" in page.content.decode()
        assert preferences.get(ADDRESS) == Choices(True, True)
        assert not EmailSuppression.objects.exists()

    def test_who_is_signed_in_as_somebody_else_changes_only_the_address_of_the_link(
        self, client: Client, django_user_model: Any
    ) -> None:
        other = django_user_model.objects.create_user(email="other@example.com", email_verified=True)
        client.force_login(other)
        client.post(path_for())

        assert preferences.get("other@example.com") == Choices(True, True)
        assert not preferences.get(ADDRESS).wants_news

    def test_a_bounce_is_not_weakened(self) -> None:
        suppression.add(email=ADDRESS, type="bounce", is_at_mailgun=True)
        press_in_mail_program(path_for())

        assert EmailSuppression.objects.get().type == "bounce"

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_a_changed_token_changes_nothing(self, client: Client, method: str) -> None:
        token = unsubscribing.make_token(ADDRESS, "news")
        body, _, mark = token.rpartition(":")
        theirs = unsubscribing.make_token("other@example.com", "news").rpartition(":")[0]
        for bad in (
            token[:-1],
            f"{body}:{mark[::-1]}",
            f"{theirs}:{mark}",
            body,
            "x",
            "é" * 9,
            "a" * 5000,
            f"{token}x",
        ):
            answer = getattr(client, method)(reverse("emails:unsubscribe", args=[bad]))
            assert answer.status_code == 404, bad
            assert "We cannot read this link" in answer.content.decode()

        assert nothing_changed()

    def test_other_methods_are_refused(self, client: Client) -> None:
        for method in ("put", "delete", "patch"):
            assert getattr(client, method)(path_for()).status_code == 405
        assert nothing_changed()

    def test_presses_from_one_address_are_counted(self) -> None:
        site_settings.set_value("limit_unsubscribe_per_address", "1", actor=Actor.system())
        first, second = press_in_mail_program(path_for()), press_in_mail_program(path_for("reminders"))

        assert (first.status_code, second.status_code) == (200, 429)
        assert 0 < int(second["Retry-After"]) <= WINDOW_SECONDS["limit_unsubscribe_per_address"]
        assert preferences.get(ADDRESS).wants_reminders


@pytest.fixture
def person(client: Client, django_user_model: Any) -> Any:
    user = django_user_model.objects.create_user(email=ADDRESS, email_verified=True)
    client.force_login(user)
    return user


class TestChoices:
    ADDRESS = "/emails/"

    def test_it_asks_for_a_log_in(self, client: Client) -> None:
        answer = client.get(self.ADDRESS)

        assert answer.status_code == 302
        assert answer["Location"] == f"{reverse('accounts:login')}?next=/emails/"

    def test_it_shows_what_holds(self, client: Client, person: Any) -> None:
        preferences.unsubscribe(email=ADDRESS, choice="news")
        form = client.get(self.ADDRESS).context["form"]

        assert form["wants_reminders"].value() is True
        assert form["wants_news"].value() is False

    def test_saving_says_so(self, client: Client, person: Any) -> None:
        page = client.post(self.ADDRESS, {"wants_reminders": "on"}, follow=True)

        assert "Saved. You get the emails you have chosen." in page.content.decode()
        assert preferences.get(ADDRESS) == Choices(wants_news=False, wants_reminders=True)

    def test_choosing_everything_again_takes_an_unsubscribe_back(self, client: Client, person: Any) -> None:
        preferences.unsubscribe(email=ADDRESS, choice="news")
        client.post(self.ADDRESS, {"wants_reminders": "on", "wants_news": "on"})

        assert not EmailSuppression.objects.exists()

    def test_it_needs_the_token_of_the_form(self, person: Any) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(person)

        assert strict.post(self.ADDRESS, {}).status_code == 403
        assert nothing_changed()

    @pytest.mark.parametrize(
        ("type", "words"),
        [("bounce", "Our emails come back"), ("complaint", "marked as spam"), ("manual", "We have stopped our emails")],
    )
    def test_it_says_why_we_cannot_reach_the_address(self, client: Client, person: Any, type: str, words: str) -> None:
        suppression.add(email=ADDRESS, type=type, is_at_mailgun=False)
        text = client.get(self.ADDRESS).content.decode()

        assert "We cannot reach this address" in text
        assert words in text
        assert reverse("accounts:email_change") in text
        assert "tel:" in text

    def test_an_unsubscribe_is_no_problem(self, client: Client, person: Any) -> None:
        suppression.add(email=ADDRESS, type="unsubscribe", is_at_mailgun=False)

        assert "We cannot reach" not in client.get(self.ADDRESS).content.decode()
