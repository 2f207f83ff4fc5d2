from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts import services
from accounts.exceptions import AddressTaken, LinkUsedUp, SameAddress, WrongCurrentPassword
from accounts.models import EmailChange, Session, User
from accounts.services import email_change
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import ACTOR, last_mail, mails, race, secret_in
from audit.models import PasswordChangeAudit
from emails.models import EmailJob
from emails.services import suppression
from settings_app.exceptions import LimitReached

pytestmark = pytest.mark.django_db

OLD, NEW = "old@example.com", "new@example.com"


def ask(user: User, email: str = NEW, password: str = PASSWORD) -> None:
    services.request_email_change(user=user, email=email, password=password, actor=ACTOR)


def confirm() -> User:
    return services.confirm_email_change(secret=secret_in(last_mail("email_change_confirm")), actor=ACTOR)


def undo_secret(number: int = -1) -> str:
    return secret_in(mails("email_change_notice")[number])


def undo(secret: str) -> User:
    return services.undo_email_change(secret=secret, actor=ACTOR)


def test_asking_changes_nothing_and_writes_to_both_addresses() -> None:
    user = make_user(email=OLD)
    ask(user)

    user.refresh_from_db()
    assert user.email == OLD
    assert last_mail("email_change_confirm")["to"] == NEW
    notice = last_mail("email_change_notice")
    assert (notice["to"], notice["new_email"]) == (OLD, NEW)
    change = EmailChange.objects.get()
    assert change.undo_expires_at - change.created_at == pytest.approx(timedelta(hours=72), abs=timedelta(seconds=5))


def test_the_yes_of_the_new_address_moves_the_account_and_tells_both() -> None:
    user = make_user(email=OLD)
    session = Session.objects.create(id="a" * 64, user=user, expires_at=timezone.now() + timedelta(days=1))
    services.request_reset(email=OLD, actor=ACTOR)
    reset_secret = secret_in(last_mail("password_reset"))
    ask(user)

    confirm()

    user.refresh_from_db()
    assert (user.email, user.email_verified) == (NEW, True)
    assert {mail["to"] for mail in mails("email_changed")} == {OLD, NEW}
    assert services.reset_link_owner(reset_secret) is None
    assert list(Session.objects.all()) == [session]
    with pytest.raises(LinkUsedUp):
        confirm()


def test_the_password_is_asked_for() -> None:
    user = make_user(email=OLD)

    with pytest.raises(WrongCurrentPassword):
        ask(user, password="wrong")
    assert EmailJob.objects.count() == 0


def test_ones_own_address_is_no_change() -> None:
    with pytest.raises(SameAddress):
        ask(make_user(email=OLD), " OLD@example.com ")


@pytest.mark.parametrize("deleted", [True, False])
def test_a_taken_address_is_answered_alike_and_its_owner_is_told(deleted: bool) -> None:
    user = make_user(email=OLD)
    make_user(email="New@example.com", deleted_at=timezone.now() if deleted else None)
    ask(user)

    assert mails("email_change_confirm") == []
    assert last_mail("email_change_taken")["to"] == "New@example.com"
    assert last_mail("email_change_notice")["to"] == OLD
    assert EmailChange.objects.count() == 1


def test_an_address_that_was_taken_meanwhile_is_refused_and_nothing_changes() -> None:
    user = make_user(email=OLD)
    ask(user)
    make_user(email=NEW)

    with pytest.raises(AddressTaken):
        confirm()
    user.refresh_from_db()
    assert user.email == OLD
    assert EmailChange.objects.get().confirmed_at is None


def test_the_newest_wish_wins() -> None:
    user = make_user(email=OLD)
    ask(user)
    first = secret_in(last_mail("email_change_confirm"))
    ask(user, "newer@example.com")

    with pytest.raises(LinkUsedUp):
        services.confirm_email_change(secret=first, actor=ACTOR)
    assert confirm().email == "newer@example.com"


def test_a_wish_is_over_after_a_day() -> None:
    ask(make_user(email=OLD))
    EmailChange.objects.update(expires_at=F("expires_at") - timedelta(hours=24, seconds=1))

    with pytest.raises(LinkUsedUp):
        confirm()


def test_an_unproven_old_address_is_not_written_to() -> None:
    user = make_user(email=OLD, email_verified=False)
    ask(user)
    confirm()

    assert mails("email_change_notice") == []
    assert {mail["to"] for mail in mails("email_changed")} == {NEW}


def test_the_old_address_stops_a_wish_before_the_yes() -> None:
    user = make_user(email=OLD)
    ask(user)
    undo(undo_secret())

    with pytest.raises(LinkUsedUp):
        confirm()
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_the_old_address_takes_the_account_back_after_the_yes() -> None:
    user = make_user(email=OLD)
    ask(user)
    confirm()
    Session.objects.create(id="a" * 64, user=user, expires_at=timezone.now() + timedelta(days=1))

    undo(undo_secret())

    user.refresh_from_db()
    assert user.email == OLD
    assert not user.has_usable_password()
    assert Session.objects.count() == 0
    assert PasswordChangeAudit.objects.get().success
    assert last_mail("password_reset")["to"] == OLD
    services.reset_password(secret=secret_in(last_mail("password_reset")), password="river spoon day", actor=ACTOR)


def test_a_thief_who_moved_the_account_twice_loses_it_all_the_same() -> None:
    user = make_user(email=OLD)
    ask(user)
    confirm()
    user.refresh_from_db()
    ask(user, "third@example.com")
    confirm()
    thiefs = undo_secret(-1)

    undo(undo_secret(0))

    user.refresh_from_db()
    assert user.email == OLD
    with pytest.raises(LinkUsedUp):
        undo(thiefs)


def test_every_address_is_held_before_the_person_also_when_a_later_change_is_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who stops an address holds it first and the person after: in the other order the two would lock each other."""
    user = make_user(email=OLD)
    ask(user)
    confirm()
    user.refresh_from_db()
    ask(user, "third@example.com")
    confirm()
    secret = undo_secret(0)
    held: list[str] = []
    hold, lock = suppression.hold, email_change.lock
    late: list[str] = []
    is_locked: list[bool] = []

    def noted_hold(*addresses: str) -> None:
        (late if is_locked else held).extend(addresses)
        hold(*addresses)

    def noted_lock(pk: int) -> User:
        is_locked.append(True)
        return lock(pk)

    monkeypatch.setattr(suppression, "hold", noted_hold)
    monkeypatch.setattr(email_change, "lock", noted_lock)
    undo(secret)

    assert late
    assert set(late) <= set(held)


def test_undoing_works_once_and_for_72_hours() -> None:
    ask(make_user(email=OLD))
    confirm()
    secret = undo_secret()
    EmailChange.objects.update(undo_expires_at=F("undo_expires_at") - timedelta(hours=71, minutes=59))
    undo(secret)

    with pytest.raises(LinkUsedUp):
        undo(secret)


def test_after_72_hours_there_is_no_way_back() -> None:
    ask(make_user(email=OLD))
    confirm()
    EmailChange.objects.update(undo_expires_at=F("undo_expires_at") - timedelta(hours=72, seconds=1))

    with pytest.raises(LinkUsedUp):
        undo(undo_secret())


def test_going_back_to_an_address_that_another_has_by_now_is_refused() -> None:
    user = make_user(email=OLD)
    ask(user)
    confirm()
    make_user(email=OLD)

    with pytest.raises(AddressTaken):
        undo(undo_secret())
    user.refresh_from_db()
    assert user.email == NEW
    assert EmailChange.objects.get().undone_at is None


@pytest.mark.parametrize("secret", ["", "nonsense", "\x00", "\ud800", "x" * 100_000])
def test_made_up_links_are_refused(secret: str) -> None:
    with pytest.raises(LinkUsedUp):
        services.confirm_email_change(secret=secret, actor=ACTOR)
    with pytest.raises(LinkUsedUp):
        undo(secret)


def test_ten_wishes_a_day() -> None:
    user = make_user(email=OLD)
    for number in range(10):
        ask(user, f"new{number}@example.com")

    with pytest.raises(LimitReached):
        ask(user)


@pytest.mark.django_db(transaction=True)
def test_yes_and_no_at_once_end_in_one_of_the_two() -> None:
    user = make_user(email=OLD)
    ask(user)
    yes, no = secret_in(last_mail("email_change_confirm")), undo_secret()

    outcomes = race(
        lambda act: act(),
        [lambda: services.confirm_email_change(secret=yes, actor=ACTOR), lambda: undo(no)] * 4,
    )

    assert [one for one in outcomes if not isinstance(one, User | LinkUsedUp)] == []
    user.refresh_from_db()
    assert user.email == OLD


def test_a_wish_of_somebody_who_signed_up_with_another_s_address_dies_when_the_owner_proves_it() -> None:
    victim = make_user(email=OLD, email_verified=False)
    ask(victim)
    secret = secret_in(last_mail("email_change_confirm"))
    services.resend(email=OLD, browser="owner", actor=ACTOR)
    services.verify_by_link(secret=secret_in(last_mail("verify_email")), browser="owner", actor=ACTOR)

    with pytest.raises(LinkUsedUp):
        services.confirm_email_change(secret=secret, actor=ACTOR)

    victim.refresh_from_db()
    assert victim.email == OLD


@pytest.mark.parametrize("way", ["reset", "change"])
def test_a_wish_of_somebody_who_knew_the_old_password_dies_with_it(way: str) -> None:
    user = make_user(email=OLD)
    ask(user)
    secret, stop = secret_in(last_mail("email_change_confirm")), undo_secret()
    if way == "reset":
        services.request_reset(email=OLD, actor=ACTOR)
        services.reset_password(
            secret=secret_in(last_mail("password_reset")), password="a fresh long password", actor=ACTOR
        )
    else:
        services.change_password(user=user, current=PASSWORD, password="a fresh long password", actor=ACTOR, keep="")

    with pytest.raises(LinkUsedUp):
        services.confirm_email_change(secret=secret, actor=ACTOR)
    undo(stop)
    user.refresh_from_db()
    assert user.email == OLD
