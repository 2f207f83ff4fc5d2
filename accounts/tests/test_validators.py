from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from accounts.exceptions import WeakPassword
from accounts.models import User
from accounts.services.people import check_new_password
from accounts.validators import NotAboutYouValidator

PERSON = User(name="Margaret Ellis", email="margaret.ellis@example.com")


@pytest.mark.parametrize(
    "password",
    [
        "margaretellis1",
        "Margaret Ellis",
        "ellis.margaret",
        "margaret.ellis@example.com",
        "MARGARET-1949",
        "techdeputies123",
        "The Tech Deputies!",
    ],
)
def test_a_password_made_of_ones_own_words_or_ours_is_refused(password: str) -> None:
    with pytest.raises(ValidationError):
        NotAboutYouValidator().validate(password, PERSON)


@pytest.mark.parametrize(
    "password", ["green-lamp-thursday", "margaret likes warm rivers", "x" * 1024, "密码密码密码密码密码密码"]
)
def test_a_password_with_more_in_it_is_fine(password: str) -> None:
    NotAboutYouValidator().validate(password, PERSON)
    NotAboutYouValidator().validate(password, None)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "too short"),
        ("elevenchars", "too short"),
        ("password1234", "easy to guess"),
        ("margaretellis", "easy to guess"),
        ("x" * 1025, "too long"),
        ("nul\x00nulnulnulnul", "cannot keep"),
        ("half\ud800halfhalfhalf", "cannot keep"),
        ("x" * 1_000_000, "too long"),
    ],
)
def test_each_refusal_says_what_is_wrong_in_a_sentence(password: str, words: str) -> None:
    with pytest.raises(WeakPassword) as refusal:
        check_new_password(password, about=PERSON)

    assert words in refusal.value.message
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize(
    "password", ["twelve chars", "x" * 73, "é" * 512, "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂", "   spaces at both ends   "]
)
def test_length_is_the_only_rule_of_composition(password: str) -> None:
    check_new_password(password, about=PERSON)


@pytest.mark.parametrize("password", ["river-spoon-tuesday", "River Spoon Tuesday!", "riverspoontuesday1"])
def test_our_own_example_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword, match="our own example"):
        check_new_password(password, about=PERSON)
