from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts import limits, services
from accounts.exceptions import WrongPassword
from accounts.models import User
from accounts.services import Device
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import ACTOR, old_hash, race
from audit.actors import Actor
from audit.models import SecurityEvent
from settings_app.exceptions import LimitReached
from settings_app.models import RateLimit

pytestmark = pytest.mark.django_db


def try_in(email: str, password: str = "wrong", actor: Actor = ACTOR, device: Device | None = None) -> str:
    """What became of one try, in a word."""
    try:
        services.log_in(email=email, password=password, actor=actor, device=device or Device())
    except WrongPassword:
        return "wrong"
    except LimitReached:
        return "blocked"
    return "in"


def tries(count: int, email: str, **options: str) -> list[str]:
    return [try_in(email, **options) for _ in range(count)]  # type: ignore[arg-type]


def later(**span: int) -> None:
    RateLimit.objects.update(window_start=F("window_start") - timedelta(**span))


def test_the_right_password_lets_in_and_is_written_down() -> None:
    user = make_user()

    assert services.log_in(email=user.email.upper(), password=PASSWORD, actor=ACTOR) == user
    event = SecurityEvent.objects.get()
    assert (event.kind, event.user, event.ip_address) == ("signed_in", user, "203.0.113.7")


def test_a_wrong_password_is_written_down_for_the_known() -> None:
    user = make_user()

    assert try_in(user.email) == "wrong"
    assert SecurityEvent.objects.get().kind == "sign_in_failed"


def test_an_unknown_address_is_only_logged() -> None:
    assert try_in("nobody@example.com") == "wrong"
    assert SecurityEvent.objects.count() == 0


def test_unproven_people_may_sign_in_and_deleted_ones_may_not() -> None:
    assert try_in(make_user(email_verified=False).email, PASSWORD) == "in"
    assert try_in(make_user(deleted_at=timezone.now()).email, PASSWORD) == "wrong"


def test_somebody_from_the_old_site_comes_in_and_is_kept_as_argon2() -> None:
    user = make_user()
    user.password = old_hash("correct horse battery")
    user.save()

    assert try_in(user.email, "correct horse battery") == "in"
    assert User.objects.get().password.startswith("argon2$")


@pytest.mark.parametrize("known", [True, False])
def test_five_wrong_passwords_in_15_minutes_and_then_a_wait(known: bool) -> None:
    email = make_user().email if known else "nobody@example.com"

    assert tries(7, email) == ["wrong"] * 5 + ["blocked"] * 2
    with pytest.raises(LimitReached) as blocked:
        services.log_in(email=email, password=PASSWORD, actor=ACTOR)
    assert 890 <= blocked.value.retry_after_seconds <= 900


def test_other_spellings_of_the_address_are_the_same_account() -> None:
    make_user(email="margaret@example.com")
    spellings = ["margaret@example.com", "MARGARET@example.com", " margaret@EXAMPLE.com", "Margaret@example.com "]

    outcomes = [try_in(spellings[number % 4]) for number in range(7)]

    assert outcomes == ["wrong"] * 5 + ["blocked"] * 2


def test_the_wait_grows_with_every_five() -> None:
    email = make_user().email
    tries(5, email)
    later(minutes=15, seconds=1)
    assert tries(6, email) == ["wrong"] * 5 + ["blocked"]

    later(minutes=15, seconds=1)
    with pytest.raises(LimitReached) as blocked:
        services.log_in(email=email, password="wrong", actor=ACTOR)
    assert blocked.value.retry_after_seconds > 15 * 60

    later(minutes=30)
    assert tries(6, email) == ["wrong"] * 5 + ["blocked"]


def test_a_stranger_elsewhere_cannot_lock_the_owner_out() -> None:
    user = make_user()
    stranger = Actor(ip_address="198.51.100.66")
    assert tries(100, user.email, actor=stranger)[-1] == "blocked"  # type: ignore[arg-type]

    assert try_in(user.email, PASSWORD) == "in"


def test_a_stranger_in_the_same_network_cannot_lock_out_a_known_device() -> None:
    user = make_user()
    tries(100, user.email)

    assert try_in(user.email, PASSWORD) == "blocked"
    assert try_in(user.email, PASSWORD, device=Device(id="abc", people=(user.pk,))) == "in"


def test_a_device_known_to_others_is_no_help() -> None:
    user = make_user()
    tries(5, user.email)

    assert try_in(user.email, PASSWORD, device=Device(id="abc", people=(make_user().pk,))) == "blocked"


def test_a_known_device_has_a_limit_of_its_own() -> None:
    user = make_user()
    device = Device(id="abc", people=(user.pk,))

    assert [try_in(user.email, device=device) for _ in range(6)] == ["wrong"] * 5 + ["blocked"]


def test_the_right_password_forgets_earlier_slips() -> None:
    user = make_user()
    tries(4, user.email)
    assert try_in(user.email, PASSWORD) == "in"

    assert tries(5, user.email) == ["wrong"] * 5


def test_many_wrong_passwords_over_the_whole_site_are_noted_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ALARM_AT", 3)
    for number in range(6):
        try_in(f"nobody{number}@example.com")

    assert SecurityEvent.objects.filter(kind="many_wrong_passwords").count() == 1


@pytest.mark.parametrize("email", ["", "\x00", "\ud800@x.y", "x" * 100_000])
@pytest.mark.parametrize("password", ["", "a\x00b", "\ud800", "x" * 1_000_000])
def test_no_text_breaks_the_door(email: str, password: str) -> None:
    assert try_in(email, password) == "wrong"


@pytest.mark.django_db(transaction=True)
def test_of_many_parallel_tries_exactly_five_are_looked_at() -> None:
    email = make_user().email

    outcomes = race(lambda _: try_in(email), range(16))

    assert sorted(outcomes) == ["blocked"] * 11 + ["wrong"] * 5
