"""Asking for one's account to be deleted, waiting, closing, and coming back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.exceptions import LinkUsedUp, StaffStay, WrongCurrentPassword
from accounts.models import DeletionUndoLink, Session, User
from accounts.signals import deletion_asked, user_deactivated
from accounts.tests.factories import PASSWORD, make_admin, make_user
from accounts.tests.helpers import ACTOR, last_mail, mails, race, secret_in
from accounts.tokens import digest
from audit.actors import Actor
from audit.models import SecurityEvent
from emails.models import EmailJob, EmailStatus
from settings_app.exceptions import LimitReached

pytestmark = pytest.mark.django_db

Listen = Callable[[Any, Callable[..., Any]], None]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Connect a receiver to a signal for one test."""
    connected: list[tuple[Any, Callable[..., Any]]] = []

    def connect(signal: Any, receiver: Callable[..., Any]) -> None:
        signal.connect(receiver, weak=False)
        connected.append((signal, receiver))

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)


@pytest.fixture
def held(listen: Listen) -> None:
    """Somebody above has something to end outside first."""
    listen(deletion_asked, lambda **_: True)


def ask(user: User, password: str = PASSWORD) -> User:
    return services.ask_deletion(user=user, password=password, actor=ACTOR)


def closed() -> User:
    return ask(make_user())


def events() -> list[str]:
    return list(SecurityEvent.objects.order_by("pk").values_list("kind", flat=True))


# --- Asking ---------------------------------------------------------------------------------------------
def test_who_has_nothing_elsewhere_is_closed_at_once_and_can_return_for_14_days() -> None:
    before = timezone.now()
    user = ask(make_user())

    user.refresh_from_db()
    assert user.deletion_asked_at is not None
    assert user.deleted_at is not None
    assert user.erase_after is not None
    assert timedelta(days=14) <= user.erase_after - before < timedelta(days=14, minutes=1)
    assert events() == ["deletion_asked", "account_closed"]


def test_closing_signs_every_device_out_and_kills_mailed_links() -> None:
    user = make_user()
    Client().force_login(user)
    services.request_reset(email=user.email, actor=ACTOR)
    services.request_email_change(user=user, email="new@example.com", password=PASSWORD, actor=ACTOR)
    reset, change = secret_in(last_mail("password_reset")), secret_in(last_mail("email_change_confirm"))
    ask(user)

    assert not Session.objects.filter(user=user).exists()
    restore(secret_in(last_mail("account_deletion_asked")))
    assert services.reset_link_owner(reset) is None
    with pytest.raises(LinkUsedUp):
        services.confirm_email_change(secret=change, actor=ACTOR)


def test_closing_stops_mail_that_waits_save_what_is_about_it_and_gifts() -> None:
    user = make_user(email="Margaret@Example.com")
    services.request_reset(email=user.email, actor=ACTOR)
    for kind in ("booking_reminder", "gift_card_for_recipient"):
        EmailJob.objects.create(
            template_type=kind, occasion=f"{kind}:1", recipient_email=user.email.lower(), subject="x", content={}
        )
    stranger = EmailJob.objects.create(
        template_type="news", occasion="news:1", recipient_email="other@example.com", subject="x", content={}
    )
    ask(user)

    waiting = EmailJob.objects.queued().values_list("template_type", flat=True)
    assert sorted(waiting) == ["account_deletion_asked", "gift_card_for_recipient", "news"]
    stranger.refresh_from_db()
    assert stranger.status == EmailStatus.QUEUED


def test_closing_is_announced_inside_the_transaction(listen: Listen) -> None:
    heard = []
    listen(user_deactivated, lambda user, actor, **_: heard.append((user.pk, user.deleted_at, actor)))
    user = ask(make_user())

    assert heard == [(user.pk, user.deleted_at, ACTOR)]


def test_the_mail_says_when_and_carries_the_way_back() -> None:
    user = closed()
    mail = last_mail("account_deletion_asked")

    assert mail["to"] == user.email
    assert mail["first_name"] == "Margaret"
    assert mail["plan_words"] == ""
    assert mail["erase_day"]
    assert "Central Time" in mail["when_words"]
    assert mail["button_url"].startswith("http://testserver/accounts/delete/undo/?token=")
    assert mail["job"].expires_at == user.erase_after
    assert DeletionUndoLink.objects.get().token == digest(secret_in(mail))


def test_a_name_nobody_proved_is_not_mailed() -> None:
    ask(make_user(email_verified=False, name="Buy now"))

    assert last_mail("account_deletion_asked")["first_name"] == "there"


def test_a_wrong_password_changes_nothing_and_is_written_down() -> None:
    user = make_user()

    with pytest.raises(WrongCurrentPassword):
        ask(user, "not this one")
    user.refresh_from_db()
    assert user.is_active
    assert user.deletion_asked_at is None
    assert mails("account_deletion_asked") == []
    event = SecurityEvent.objects.get()
    assert (event.kind, event.details) == ("deletion_refused", {"reason": "WrongCurrentPassword"})


def test_the_password_cannot_be_guessed_here_either() -> None:
    user = make_user()
    for _ in range(5):
        with pytest.raises(WrongCurrentPassword):
            ask(user, "not this one")

    with pytest.raises(LimitReached):
        ask(user)
    assert user.is_active


def test_staff_are_closed_by_an_owner_not_by_themselves() -> None:
    staff = make_admin()

    with pytest.raises(StaffStay):
        ask(staff)
    staff.refresh_from_db()
    assert staff.deletion_asked_at is None


@pytest.mark.django_db(transaction=True)
def test_two_presses_close_it_once() -> None:
    user = make_user()

    race(lambda _: ask(user), range(2))

    assert events().count("account_closed") == 1
    assert len(mails("account_deletion_asked")) == 1


# --- Waiting --------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("held")
def test_while_something_has_to_end_first_the_person_stays() -> None:
    user = make_user()
    Client().force_login(user)
    ask(user)

    user.refresh_from_db()
    assert user.is_active
    assert user.deletion_asked_at is not None
    assert Session.objects.filter(user=user).exists()
    assert list(User.objects.leaving()) == [user]
    assert not EmailJob.objects.exists()


@pytest.mark.usefixtures("held")
def test_asking_again_changes_nothing() -> None:
    user = ask(make_user())
    asked_at = user.deletion_asked_at

    assert ask(user).deletion_asked_at == asked_at
    assert events() == ["deletion_asked"]


@pytest.mark.usefixtures("held")
def test_a_delay_is_mailed_once_and_kept_for_the_pages() -> None:
    user = ask(make_user())
    for _ in range(3):
        services.note_deletion_delay(user=user)

    user.refresh_from_db()
    assert user.deletion_delayed_at is not None
    assert len(mails("account_deletion_waiting")) == 1


@pytest.mark.usefixtures("held")
def test_a_wish_taken_back_is_not_carried_out() -> None:
    user = ask(make_user())
    services.note_deletion_delay(user=user)
    services.keep_account(user=user, actor=ACTOR)

    assert services.finish_deletion(user=user) is None
    services.note_deletion_delay(user=user)
    user.refresh_from_db()
    assert user.is_active
    assert (user.deletion_asked_at, user.deletion_delayed_at) == (None, None)
    assert len(mails("account_deletion_waiting")) == 1


@pytest.mark.usefixtures("held")
def test_a_new_wish_after_one_taken_back_is_told_of_its_own_delay() -> None:
    user = make_user()
    for _ in range(2):
        services.note_deletion_delay(user=ask(user))
        services.keep_account(user=user, actor=ACTOR)

    assert len(mails("account_deletion_waiting")) == 2


@pytest.mark.usefixtures("held")
def test_it_is_finished_once_with_words_on_the_plan(listen: Listen) -> None:
    heard = []
    listen(user_deactivated, lambda actor, **_: heard.append(actor))
    user = ask(make_user())
    services.note_deletion_delay(user=user)

    done = services.finish_deletion(user=user, plan_words="It has ended.")

    assert done is not None
    assert done.deleted_at is not None
    assert done.deletion_delayed_at is None
    assert services.finish_deletion(user=user) is None
    assert [mail["plan_words"] for mail in mails("account_deletion_asked")] == ["It has ended."]
    assert mails("account_deletion_waiting")[0]["job"].status == EmailStatus.QUEUED
    assert heard == [Actor.system()]


def test_it_is_too_late_to_take_it_back_once_closed() -> None:
    with pytest.raises(LinkUsedUp):
        services.keep_account(user=closed(), actor=ACTOR)


# --- Coming back ----------------------------------------------------------------------------------------
def restore(secret: str, password: str = PASSWORD) -> User:
    return services.restore_account(secret=secret, password=password, actor=ACTOR)


def test_the_link_and_the_password_open_it_again() -> None:
    user = closed()
    secret = secret_in(last_mail("account_deletion_asked"))
    assert services.undo_link_owner(secret) == user

    restore(secret)

    user.refresh_from_db()
    assert user.is_active
    assert (user.erase_after, user.deletion_asked_at) == (None, None)
    assert services.log_in(email=user.email, password=PASSWORD, actor=ACTOR) == user
    assert events()[-2:] == ["account_restored", "signed_in"]


def test_a_wrong_password_leaves_the_link_as_it_was() -> None:
    user = closed()
    secret = secret_in(last_mail("account_deletion_asked"))

    with pytest.raises(WrongCurrentPassword):
        restore(secret, "not this one")
    user.refresh_from_db()
    assert not user.is_active
    assert restore(secret) == user
    assert "restore_refused" in events()


def test_the_way_back_cannot_be_guessed() -> None:
    closed()
    secret = secret_in(last_mail("account_deletion_asked"))
    for _ in range(5):
        with pytest.raises(WrongCurrentPassword):
            restore(secret, "not this one")

    with pytest.raises(LimitReached):
        restore(secret)


def test_one_use_spends_every_link() -> None:
    user = closed()
    first = secret_in(last_mail("account_deletion_asked"))
    services.request_reset(email=user.email, actor=ACTOR)
    second = secret_in(last_mail("account_way_back"))
    assert services.undo_link_owner(second) == user
    ask(restore(first))

    for secret in (first, second, "made-up"):
        with pytest.raises(LinkUsedUp):
            restore(secret)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_gets_in() -> None:
    closed()
    secret = secret_in(last_mail("account_deletion_asked"))

    outcomes = race(lambda _: restore(secret), range(2))

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LinkUsedUp", "User"]


def test_after_14_days_it_is_too_late() -> None:
    user = closed()
    secret = secret_in(last_mail("account_deletion_asked"))
    User.objects.filter(pk=user.pk).update(erase_after=timezone.now() - timedelta(seconds=1))

    assert services.undo_link_owner(secret) is None
    with pytest.raises(LinkUsedUp):
        restore(secret)


@pytest.mark.parametrize("way", ["sign up", "reset"])
def test_the_address_of_a_closed_account_gets_the_way_back(way: str) -> None:
    user = closed()
    if way == "reset":
        services.request_reset(email=user.email.upper(), actor=ACTOR)
    else:
        services.sign_up(name="New", email=user.email, password="green lamp thursday", browser="b", actor=ACTOR)

    mail = last_mail("account_way_back")
    assert mail["to"] == user.email
    assert restore(secret_in(mail)) == user
    for other in ("signup_closed", "password_reset", "password_reset_unknown", "verify_email"):
        assert mails(other) == []


def test_the_mailbox_is_not_flooded_with_ways_back() -> None:
    user = closed()
    for _ in range(5):
        services.sign_up(name="New", email=user.email, password="green lamp thursday", browser="b", actor=ACTOR)

    assert len(mails("account_way_back")) == 2


def test_accounts_without_such_a_time_are_told_whom_to_call() -> None:
    old = make_user(deleted_at=timezone.now())
    services.sign_up(name="New", email=old.email, password="green lamp thursday", browser="b", actor=ACTOR)
    services.request_reset(email=old.email, actor=ACTOR)

    assert mails("account_way_back") == []
    assert len(mails("signup_closed")) == 1
    assert len(mails("password_reset_unknown")) == 1


def test_links_long_dead_are_forgotten() -> None:
    closed()
    closed()
    kept, old = DeletionUndoLink.objects.order_by("pk")
    DeletionUndoLink.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(days=8))
    services.forget_expired()

    assert list(DeletionUndoLink.objects.all()) == [kept]
