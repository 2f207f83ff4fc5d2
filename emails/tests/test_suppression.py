"""Stopped addresses: the strongest cause wins, ends are kept, and Mailgun's own lists are cleared first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.tests.factories import make_admin
from audit.actors import Actor
from audit.models import AdminActionAudit
from emails.exceptions import MailgunUnreachable, NotStopped, StoppedAgain
from emails.models import EmailPreference, EmailSuppression, SuppressionType
from emails.services import preferences, suppression
from emails.services.preferences import Choices
from emails.signals import address_cleared, address_stopped
from emails.tests.factories import make_suppression
from sandbox.mailgun import StandIn

pytestmark = pytest.mark.django_db

ADDRESS = "margaret@example.com"
TYPES = [SuppressionType.UNSUBSCRIBE, SuppressionType.MANUAL, SuppressionType.COMPLAINT, SuppressionType.BOUNCE]


@pytest.fixture
def developer(settings: Any) -> Iterator[StandIn]:
    """A Mailgun whose second key may change its lists."""
    with StandIn(read_role="developer") as server:
        settings.MAILGUN_API_URL = server.url
        settings.MAILGUN_READ_API_KEY = server.config.read_api_key
        settings.MAILGUN_SENDER_DOMAIN = server.config.domain
        settings.ANYMAIL = {**server.anymail, "REQUESTS_TIMEOUT": (1, 1)}
        yield server


@pytest.fixture
def announced() -> Iterator[list[tuple[str, str, str]]]:
    heard: list[tuple[str, str, str]] = []

    def stopped(sender: Any, email: str, type: str, **_: Any) -> None:
        heard.append(("stopped", email, str(type)))

    def cleared(sender: Any, email: str, type: str, **_: Any) -> None:
        heard.append(("cleared", email, str(type)))

    address_stopped.connect(stopped)
    address_cleared.connect(cleared)
    yield heard
    address_stopped.disconnect(stopped)
    address_cleared.disconnect(cleared)


def stop(type: str, email: str = ADDRESS, **more: Any) -> EmailSuppression:
    return suppression.add(email=email, type=type, **{"is_at_mailgun": False, **more})


def staff() -> Actor:
    return Actor(user=make_admin(), ip_address="203.0.113.7", user_agent="Test")


class TestAdd:
    @pytest.mark.parametrize("first", TYPES)
    @pytest.mark.parametrize("second", TYPES)
    def test_the_stronger_cause_stands(self, first: SuppressionType, second: SuppressionType) -> None:
        stop(first, reason="first")
        row = stop(second, reason="second")

        assert row.type == max(first, second, key=TYPES.index)
        assert row.reason == ("first" if TYPES.index(first) > TYPES.index(second) else "second")
        assert EmailSuppression.objects.count() == 1

    def test_one_row_whatever_the_letters(self) -> None:
        stop("manual", email=" Margaret@Example.com ")
        stop("bounce")

        assert [(row.email, row.type) for row in EmailSuppression.objects.all()] == [(ADDRESS, "bounce")]

    def test_an_end_is_never_brought_nearer(self) -> None:
        late, early = timezone.now() + timedelta(days=9), timezone.now() + timedelta(days=1)
        stop("manual", expires_at=late)

        assert stop("bounce", expires_at=early).expires_at == late
        assert stop("bounce", expires_at=None).expires_at is None
        assert stop("bounce", expires_at=early).expires_at is None

    def test_a_weaker_cause_may_last_longer(self) -> None:
        stop("bounce", expires_at=timezone.now() + timedelta(days=1))

        assert stop("manual").expires_at is None

    def test_a_wish_does_not_prolong_what_is_stronger(self) -> None:
        soon = timezone.now() + timedelta(days=1)
        stop("bounce", expires_at=soon)

        assert stop("unsubscribe").expires_at == soon
        assert preferences.get(ADDRESS) == Choices(False, False)

    def test_what_has_ended_does_not_count(self) -> None:
        stop("bounce", expires_at=timezone.now() - timedelta(days=1), is_at_mailgun=True)
        row = stop("unsubscribe")

        assert (row.type, row.expires_at, row.is_at_mailgun) == ("unsubscribe", None, True)

    def test_that_mailgun_holds_it_is_not_forgotten(self) -> None:
        stop("bounce", is_at_mailgun=True)

        assert stop("manual", is_at_mailgun=False).is_at_mailgun

    def test_an_unsubscribe_turns_both_choices_off(self) -> None:
        preferences.save(email=ADDRESS, wants_news=True, wants_reminders=True)
        stop("unsubscribe")

        assert preferences.get(ADDRESS) == Choices(False, False)

    def test_a_wish_without_choices_survives_a_bounce_and_its_lifting(self, developer: StandIn) -> None:
        make_suppression(email=ADDRESS, type="unsubscribe", is_at_mailgun=False)
        stop("bounce", is_at_mailgun=True)
        suppression.lift(email=ADDRESS, actor=staff(), reason="mailbox_works")

        assert preferences.get(ADDRESS) == Choices(False, False)

    def test_it_is_announced_with_the_cause_that_stands(self, announced: list[Any]) -> None:
        stop("bounce")
        stop("unsubscribe")

        assert announced == [("stopped", ADDRESS, "bounce")] * 2

    def test_what_staff_do_is_written_down(self) -> None:
        row = stop("manual", reason="She asked on the phone", actor=staff())
        audit = AdminActionAudit.objects.get()

        assert (audit.action, audit.object_id) == ("emails.emailsuppression.added", str(row.pk))
        assert audit.details == {"asked": "manual", "type": "manual", "expires_at": None}

    def test_the_problem_of_an_address(self) -> None:
        assert suppression.problem(ADDRESS) == ""
        stop("unsubscribe")
        assert suppression.problem(ADDRESS) == ""
        stop("complaint")
        assert suppression.problem("MARGARET@example.com") == "complaint"
        EmailSuppression.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert suppression.problem(ADDRESS) == ""


def at_once(*acts: Callable[[], Any]) -> list[BaseException]:
    """Run the acts in threads that start together; what they raised."""
    gate, faults = threading.Barrier(len(acts)), []

    def run(act: Callable[[], Any]) -> None:
        gate.wait()
        try:
            act()
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


@pytest.mark.django_db(transaction=True)
class TestRace:
    ROUNDS = 12

    def race(self, number: int) -> tuple[list[BaseException], str, Choices]:
        email = f"person{number}@example.com"
        faults = at_once(
            *(lambda kind=kind: stop(kind, email=email) for kind in ("unsubscribe", "bounce", "manual", "complaint")),
            lambda: preferences.unsubscribe(email=email, choice="news"),
        )
        return faults, EmailSuppression.objects.of(email).get().type, preferences.get(email)

    def test_five_causes_at_once_leave_the_strongest(self) -> None:
        for number in range(self.ROUNDS):
            faults, kind, choices = self.race(number)

            assert faults == []
            assert kind == "bounce"
            assert choices == Choices(False, False)

    def test_without_the_lock_they_do_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(suppression, "hold", lambda *_: None)
        went_wrong = [faults or kind != "bounce" for faults, kind, _ in map(self.race, range(self.ROUNDS))]

        assert any(went_wrong)


class TestLift:
    def test_mailgun_first_then_the_row(self, developer: StandIn, announced: list[Any]) -> None:
        stop("bounce", is_at_mailgun=True)
        for name in ("bounces", "complaints", "unsubscribes"):
            developer.suppress(ADDRESS, on=name)
        suppression.lift(email="Margaret@example.com", actor=staff(), reason="mailbox_works")

        assert not any(developer.suppressed(name) for name in ("bounces", "complaints", "unsubscribes"))
        assert not EmailSuppression.objects.exists()
        assert announced[-1] == ("cleared", ADDRESS, "bounce")
        assert AdminActionAudit.objects.get().details == {
            "type": "bounce",
            "expires_at": None,
            "reason": "mailbox_works",
        }

    def test_an_address_mailgun_does_not_list_is_lifted_too(self, developer: StandIn) -> None:
        stop("bounce", is_at_mailgun=True)
        suppression.lift(email=ADDRESS, actor=staff(), reason="mistake")

        assert not EmailSuppression.objects.exists()

    def test_a_key_that_may_not_changes_nothing(self, mailgun: StandIn, announced: list[Any]) -> None:
        mailgun.suppress(ADDRESS)
        stop("bounce", is_at_mailgun=True)
        with pytest.raises(MailgunUnreachable, match="role"):
            suppression.lift(email=ADDRESS, actor=staff(), reason="mistake")

        assert EmailSuppression.objects.count() == 1
        assert mailgun.suppressed() == [ADDRESS]
        assert ("cleared", ADDRESS, "bounce") not in announced
        assert not AdminActionAudit.objects.exists()

    def test_neither_does_a_mailgun_that_is_away(self, developer: StandIn, settings: Any) -> None:
        settings.ANYMAIL = {**settings.ANYMAIL, "MAILGUN_API_URL": "http://127.0.0.1:9/v3"}
        stop("bounce", is_at_mailgun=True)
        with pytest.raises(MailgunUnreachable, match="nothing was changed"):
            suppression.lift(email=ADDRESS, actor=staff(), reason="mistake")

        assert EmailSuppression.objects.count() == 1

    @pytest.mark.parametrize("change", [{"MAILGUN_READ_API_KEY": ""}, {"MAILGUN_SENDER_DOMAIN": "other.example"}])
    def test_neither_does_a_wrong_setting(self, developer: StandIn, settings: Any, change: dict[str, str]) -> None:
        for name, value in change.items():
            setattr(settings, name, value)
        stop("bounce", is_at_mailgun=True)
        with pytest.raises(MailgunUnreachable):
            suppression.lift(email=ADDRESS, actor=staff(), reason="mistake")

    def test_what_only_we_stopped_does_not_need_mailgun(self, settings: Any) -> None:
        settings.MAILGUN_READ_API_KEY = ""
        stop("manual")
        suppression.lift(email=ADDRESS, actor=staff(), reason="person_asked")

        assert not EmailSuppression.objects.exists()

    def test_lifting_a_wish_brings_all_mail_back(self) -> None:
        stop("unsubscribe")
        suppression.lift(email=ADDRESS, actor=staff(), reason="person_asked")

        assert preferences.get(ADDRESS) == Choices(True, True)

    def test_a_cause_that_comes_meanwhile_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stop("complaint", is_at_mailgun=True)
        monkeypatch.setattr("emails.gateway.clear_suppression", lambda address: stop("bounce"))
        with pytest.raises(StoppedAgain):
            suppression.lift(email=ADDRESS, actor=staff(), reason="mistake")

        assert EmailSuppression.objects.get().type == "bounce"

    def test_nothing_to_lift(self) -> None:
        with pytest.raises(NotStopped):
            suppression.lift(email=ADDRESS, actor=staff(), reason="mistake")


class TestClock:
    def ended(self, **fields: Any) -> EmailSuppression:
        return make_suppression(expires_at=timezone.now() - timedelta(minutes=1), **fields)

    def test_what_has_ended_goes_here_and_at_mailgun(self, developer: StandIn, announced: list[Any]) -> None:
        gone = self.ended()
        stays = make_suppression(expires_at=timezone.now() + timedelta(minutes=1))
        developer.suppress(gone.email)
        developer.suppress(stays.email)

        assert suppression.clear_expired() == 1
        assert developer.suppressed() == [stays.email]
        assert list(EmailSuppression.objects.all()) == [stays]
        assert announced == [("cleared", gone.email, "bounce")]

    def test_rows_wait_for_a_mailgun_that_is_away(self, developer: StandIn, settings: Any) -> None:
        self.ended()
        settings.ANYMAIL = {**settings.ANYMAIL, "MAILGUN_API_URL": "http://127.0.0.1:9/v3"}

        assert suppression.clear_expired() == 0
        assert EmailSuppression.objects.count() == 1

    def test_those_that_mailgun_does_not_know_do_not_wait_for_it(self, settings: Any) -> None:
        settings.MAILGUN_READ_API_KEY = ""
        stays = self.ended()
        gone = self.ended()
        EmailSuppression.objects.filter(pk=gone.pk).update(is_at_mailgun=False)

        assert suppression.clear_expired() == 1
        assert list(EmailSuppression.objects.all()) == [stays]

    def test_it_stops_nothing_while_it_waits(self) -> None:
        row = self.ended()

        assert suppression.find(row.email) is None

    def test_wanting_all_again_is_told_to_mailgun_by_the_clock(self, developer: StandIn) -> None:
        stop("unsubscribe", is_at_mailgun=True)
        developer.suppress(ADDRESS, on="unsubscribes")
        preferences.save(email=ADDRESS, wants_news=True, wants_reminders=True)

        assert suppression.find(ADDRESS) is None
        assert suppression.clear_expired() == 1
        assert developer.suppressed("unsubscribes") == []
        assert not EmailSuppression.objects.exists()


class TestPreferences:
    def test_nobody_said_anything(self) -> None:
        assert preferences.get(ADDRESS) == Choices(True, True)
        assert preferences.get(ADDRESS).wants("")

    def test_a_stop_by_the_link_leaves_the_other_choice(self) -> None:
        preferences.unsubscribe(email=ADDRESS, choice="news")

        assert preferences.get("MARGARET@example.com") == Choices(wants_news=False, wants_reminders=True)
        assert EmailSuppression.objects.get().type == "unsubscribe"
        assert not preferences.get(ADDRESS).wants("news")
        assert preferences.get(ADDRESS).wants("reminders")

    def test_twice_changes_nothing(self) -> None:
        for _ in range(2):
            preferences.unsubscribe(email=ADDRESS, choice="reminders")

        assert preferences.get(ADDRESS) == Choices(wants_news=True, wants_reminders=False)
        assert (EmailPreference.objects.count(), EmailSuppression.objects.count()) == (1, 1)

    def test_it_never_weakens_a_bounce(self) -> None:
        stop("bounce")
        preferences.unsubscribe(email=ADDRESS, choice="news")

        assert EmailSuppression.objects.get().type == "bounce"
        assert not preferences.get(ADDRESS).wants_news

    def test_wanting_all_again_takes_the_unsubscribe_back(self) -> None:
        preferences.unsubscribe(email=ADDRESS, choice="news")
        preferences.unsubscribe(email=ADDRESS, choice="reminders")
        preferences.resume(email=ADDRESS, choice="news")
        assert EmailSuppression.objects.exists()
        preferences.resume(email=ADDRESS, choice="reminders")

        assert preferences.get(ADDRESS) == Choices(True, True)
        assert not EmailSuppression.objects.exists()

    def test_wanting_all_does_not_lift_a_bounce(self) -> None:
        stop("bounce")
        preferences.save(email=ADDRESS, wants_news=True, wants_reminders=True)

        assert EmailSuppression.objects.get().type == "bounce"

    def test_a_choice_wins_over_an_old_unsubscribe(self) -> None:
        make_suppression(email=ADDRESS, type="unsubscribe")
        assert preferences.get(ADDRESS) == Choices(False, False)
        preferences.save(email=ADDRESS, wants_news=False, wants_reminders=True)

        assert preferences.get(ADDRESS) == Choices(wants_news=False, wants_reminders=True)

    def test_choices_move_with_the_person(self) -> None:
        preferences.unsubscribe(email=ADDRESS, choice="news")
        preferences.move(old=ADDRESS, new="new@example.com")

        assert preferences.get("new@example.com") == Choices(wants_news=False, wants_reminders=True)

    def test_a_no_at_the_new_address_stays(self) -> None:
        preferences.save(email=ADDRESS, wants_news=False, wants_reminders=True)
        preferences.unsubscribe(email="new@example.com", choice="reminders")
        preferences.move(old=ADDRESS, new="new@example.com")

        assert preferences.get("new@example.com") == Choices(False, False)

    def test_moving_to_the_same_address_keeps_them(self) -> None:
        preferences.save(email=ADDRESS, wants_news=False, wants_reminders=True)
        preferences.move(old=ADDRESS, new="Margaret@Example.com")

        assert not preferences.get(ADDRESS).wants_news
