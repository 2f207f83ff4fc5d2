"""Devices, profile, and forgetting what is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services, tasks
from accounts.devices import device_words
from accounts.models import EmailChange, EmailVerificationToken, PasswordResetToken, Session, User
from accounts.tests.factories import make_user
from accounts.tests.helpers import ACTOR
from audit.models import SecurityEvent

pytestmark = pytest.mark.django_db


def make_session(user: User, key: str, hours: int = 1) -> Session:
    return Session.objects.create(id=key * 64, user=user, expires_at=timezone.now() + timedelta(hours=hours))


def test_one_device_is_signed_out_and_doing_it_twice_changes_nothing() -> None:
    user = make_user()
    one, other = make_session(user, "a"), make_session(user, "b")
    services.end_session(session=one, actor=ACTOR)
    services.end_session(session=one, actor=ACTOR)

    assert list(Session.objects.all()) == [other]
    assert SecurityEvent.objects.filter(kind="device_signed_out").count() == 1


def test_all_devices_of_a_person_and_of_nobody_else() -> None:
    user = make_user()
    make_session(user, "a")
    here = make_session(user, "b")
    others = make_session(make_user(), "c")

    assert services.end_all_sessions(user=user, actor=ACTOR, but=here.pk) == 1
    assert services.end_all_sessions(user=user, actor=ACTOR) == 1
    assert list(Session.objects.all()) == [others]


def test_the_profile_keeps_its_own_fields_only() -> None:
    user = make_user()
    services.update_profile(user=user, actor=ACTOR, name="Maggie", phone="(312) 555-0101", time_zone="")

    user.refresh_from_db()
    assert (user.name, user.phone) == ("Maggie", "(312) 555-0101")
    with pytest.raises(TypeError):
        services.update_profile(user=user, actor=ACTOR, role="admin")


def test_the_log_of_a_profile_names_fields_and_no_values() -> None:
    user = make_user(phone="")
    services.update_profile(user=user, actor=ACTOR, phone="(312) 555-0101")
    services.update_profile(user=user, actor=ACTOR, phone="(312) 555-0101")

    assert SecurityEvent.objects.get().details == {"fields": ["phone"]}


def test_what_is_over_is_forgotten_and_the_rest_stays() -> None:
    user = make_user()
    now = timezone.now()
    make_session(user, "a", hours=-1)
    alive = make_session(user, "b")
    for number, days in enumerate((8, 6)):
        PasswordResetToken.objects.create(user=user, token=f"r{number}", expires_at=now - timedelta(days=days))
        EmailVerificationToken.objects.create(user=user, token=f"v{number}", expires_at=now - timedelta(days=days))
    EmailChange.objects.create(
        user=user,
        old_email="a@example.com",
        new_email="b@example.com",
        token="t",
        undo_token="u",
        expires_at=now - timedelta(days=100),
        undo_expires_at=now - timedelta(days=97),
    )
    tasks.forget_expired()
    tasks.forget_expired()

    assert list(Session.objects.all()) == [alive]
    assert [row.token for row in PasswordResetToken.objects.all()] == ["r1"]
    assert [row.token for row in EmailVerificationToken.objects.all()] == ["v1"]
    assert EmailChange.objects.count() == 0


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit Chrome/140 Safari/537 Edg/140",
            "Edge on a Windows computer",
        ),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18) Version/18 Mobile Safari/604", "Safari on an iPhone"),
        ("Mozilla/5.0 (iPad; CPU OS 18) Version/18 Safari/604", "Safari on an iPad"),
        ("Mozilla/5.0 (Linux; Android 15; Pixel) Chrome/140 Mobile Safari/537", "Chrome on an Android phone"),
        (
            "Mozilla/5.0 (Linux; Android 15) SamsungBrowser/27 Chrome/130 Safari",
            "Samsung Internet on an Android tablet",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X) Gecko Firefox/140", "Firefox on a Mac"),
        ("Mozilla/5.0 (X11; CrOS x86_64) Chrome/140 Safari", "Chrome on a Chromebook"),
        ("<script>alert(1)</script>", "A browser on a device we do not know"),
        ("", "A browser on a device we do not know"),
    ],
)
def test_devices_are_named_in_our_own_words(agent: str, words: str) -> None:
    assert device_words(agent) == words
