from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts import services
from accounts.exceptions import LinkUsedUp, WeakPassword, WrongCurrentPassword
from accounts.models import PasswordResetToken, Session, User
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import ACTOR, last_mail, mails, race, secret_in
from audit.actors import Actor
from audit.models import ChangeType, PasswordChangeAudit
from emails.models import EmailJob
from settings_app.exceptions import LimitReached

pytestmark = pytest.mark.django_db

NEW = "green lamp thursday"


def ask(email: str, actor: Actor = ACTOR) -> None:
    services.request_reset(email=email, actor=actor)


def mailed_secret() -> str:
    return secret_in(last_mail("password_reset"))


def reset(secret: str, password: str = NEW) -> User:
    return services.reset_password(secret=secret, password=password, actor=ACTOR)


def make_session(user: User, key: str) -> Session:
    return Session.objects.create(id=key * 64, user=user, expires_at=timezone.now() + timedelta(days=1))


def change(user: User, current: str = PASSWORD, password: str = NEW, keep: str = "") -> None:
    services.change_password(user=user, current=current, password=password, actor=ACTOR, keep=keep)


def test_a_reset_mails_a_link_for_one_hour_to_the_stored_address_as_critical() -> None:
    user = make_user(email="Margaret@Example.com")
    ask("  margaret@EXAMPLE.com ")

    mail = last_mail("password_reset")
    assert mail["to"] == "Margaret@Example.com"
    assert mail["priority"] == "critical"
    assert mail["button_url"].startswith("http://testserver/accounts/password/reset/confirm/?token=")
    assert mail["job"].expires_at == PasswordResetToken.objects.get().expires_at
    assert services.reset_link_owner(mailed_secret()) == user


def test_an_unknown_address_gets_the_news_once_a_day_and_no_link() -> None:
    ask("nobody@example.com")
    ask("Nobody@example.com")

    assert [mail["to"] for mail in mails("password_reset_unknown")] == ["nobody@example.com"]
    assert PasswordResetToken.objects.count() == 0


def test_a_deleted_account_is_answered_like_none() -> None:
    user = make_user(deleted_at=timezone.now())
    ask(user.email)

    assert mails("password_reset") == []
    assert len(mails("password_reset_unknown")) == 1


def test_the_link_sets_the_password_ends_every_session_tells_and_writes_it_down() -> None:
    user = make_user(email_verified=False)
    make_session(user, "a")
    ask(user.email)

    reset(mailed_secret())

    user.refresh_from_db()
    assert user.check_password(NEW)
    assert user.email_verified
    assert Session.objects.count() == 0
    assert last_mail("password_changed")["device_words"] == "Chrome on a Windows computer"
    audit = PasswordChangeAudit.objects.get()
    assert (audit.success, audit.change_type, audit.user, audit.changed_by) == (True, "self_change", user, user)
    assert (audit.ip_address, audit.user_agent) == (ACTOR.ip_address, ACTOR.user_agent)


def test_a_link_works_once_and_the_second_use_is_written_down() -> None:
    ask(make_user().email)
    secret = mailed_secret()
    reset(secret)

    with pytest.raises(LinkUsedUp):
        reset(secret, "another good password")
    assert services.reset_link_owner(secret) is None
    assert list(PasswordChangeAudit.objects.order_by("pk").values_list("success", flat=True)) == [True, False]


def test_the_newest_link_kills_the_older() -> None:
    user = make_user()
    ask(user.email)
    older = mailed_secret()
    ask(user.email)

    with pytest.raises(LinkUsedUp):
        reset(older)
    assert reset(mailed_secret()) == user


def test_a_link_dies_after_an_hour() -> None:
    ask(make_user().email)
    PasswordResetToken.objects.update(expires_at=F("expires_at") - timedelta(hours=1, seconds=1))

    assert services.reset_link_owner(mailed_secret()) is None
    with pytest.raises(LinkUsedUp):
        reset(mailed_secret())


@pytest.mark.parametrize("change_of", ["password", "email"])
def test_a_link_dies_with_the_password_or_the_address_it_was_made_for(change_of: str) -> None:
    user = make_user()
    ask(user.email)
    if change_of == "password":
        user.set_password("changed in between")
    else:
        user.email = "moved@example.com"
    user.save()

    assert services.reset_link_owner(mailed_secret()) is None
    with pytest.raises(LinkUsedUp):
        reset(mailed_secret())


def test_a_link_of_a_deleted_person_opens_nothing() -> None:
    user = make_user()
    ask(user.email)
    user.deleted_at = timezone.now()
    user.save()

    assert services.reset_link_owner(mailed_secret()) is None
    with pytest.raises(LinkUsedUp):
        reset(mailed_secret())


def test_a_weak_password_does_not_use_the_link_up_and_is_written_down() -> None:
    ask(make_user().email)

    with pytest.raises(WeakPassword):
        reset(mailed_secret(), "short")
    audit = PasswordChangeAudit.objects.get()
    assert (audit.success, audit.error_message) == (False, "WeakPassword")
    reset(mailed_secret())


@pytest.mark.parametrize("secret", ["", "nonsense", "\x00", "\ud800", "x" * 100_000])
def test_a_made_up_link_is_refused(secret: str) -> None:
    assert services.reset_link_owner(secret) is None
    with pytest.raises(LinkUsedUp):
        reset(secret)


def test_the_digest_in_the_table_is_no_link() -> None:
    ask(make_user().email)

    with pytest.raises(LinkUsedUp):
        reset(PasswordResetToken.objects.get().token)


@pytest.mark.parametrize("known", [True, False])
def test_five_links_an_hour_for_one_account_from_one_network(known: bool) -> None:
    email = make_user().email if known else "nobody@example.com"
    for _ in range(5):
        ask(email)

    with pytest.raises(LimitReached):
        ask(email)


def test_many_networks_together_cannot_flood_a_mailbox_or_refuse_its_owner() -> None:
    user = make_user()
    for number in range(30):
        ask(user.email, Actor(ip_address=f"198.51.100.{number}"))

    assert len(mails("password_reset")) == 10


def test_the_link_of_somebody_asked_to_change_counts_as_forced() -> None:
    user = make_user(must_change_password=True)
    ask(user.email)
    reset(mailed_secret())

    user.refresh_from_db()
    assert not user.must_change_password
    assert PasswordChangeAudit.objects.get().change_type == ChangeType.ADMIN_FORCE_CHANGE


def test_changing_the_password_keeps_this_device_and_signs_out_the_others() -> None:
    user = make_user(must_change_password=True)
    here, _there = make_session(user, "a"), make_session(user, "b")
    change(user, keep=here.pk)

    user.refresh_from_db()
    assert user.check_password(NEW)
    assert not user.must_change_password
    assert list(Session.objects.all()) == [here]
    assert len(mails("password_changed")) == 1
    assert PasswordChangeAudit.objects.get().change_type == ChangeType.ADMIN_FORCE_CHANGE


def test_changing_the_password_kills_a_mailed_link() -> None:
    user = make_user()
    ask(user.email)
    change(user)

    with pytest.raises(LinkUsedUp):
        reset(mailed_secret(), "one more good password")


@pytest.mark.parametrize(
    ("current", "password", "refusal"),
    [("wrong", NEW, WrongCurrentPassword), (PASSWORD, "short", WeakPassword), ("a\x00b", NEW, WrongCurrentPassword)],
)
def test_a_refused_change_changes_nothing_and_is_written_down(
    current: str, password: str, refusal: type[Exception]
) -> None:
    user = make_user()
    before = user.password

    with pytest.raises(refusal):
        change(user, current, password)

    user.refresh_from_db()
    assert user.password == before
    audit = PasswordChangeAudit.objects.get()
    assert (audit.success, audit.error_message) == (False, refusal.__name__)
    assert EmailJob.objects.count() == 0


def test_five_wrong_present_passwords_and_then_a_wait() -> None:
    user = make_user()
    for _ in range(5):
        with pytest.raises(WrongCurrentPassword):
            change(user, "wrong")

    with pytest.raises(LimitReached):
        change(user)


@pytest.mark.django_db(transaction=True)
def test_of_ten_uses_of_one_reset_link_exactly_one_succeeds() -> None:
    ask(make_user().email)
    secret = mailed_secret()

    outcomes = race(lambda number: reset(secret, f"a good new password {number}"), range(10))

    won = [number for number, one in enumerate(outcomes) if isinstance(one, User)]
    assert len(won) == 1
    assert [type(one) for one in outcomes].count(LinkUsedUp) == 9
    assert User.objects.get().check_password(f"a good new password {won[0]}")
    assert PasswordChangeAudit.objects.filter(success=True).count() == 1
    assert len(mails("password_changed")) == 1


@pytest.mark.django_db(transaction=True)
def test_a_reset_and_a_change_at_once_do_not_wait_for_each_other_in_a_ring() -> None:
    user = make_user()
    ask(user.email)
    secret = mailed_secret()
    acts = [lambda: reset(secret), lambda: change(User.objects.get()), lambda: ask(user.email)] * 3

    outcomes = race(lambda act: act(), acts)

    allowed = (User, type(None), LinkUsedUp, WrongCurrentPassword)
    assert [one for one in outcomes if not isinstance(one, allowed)] == []
