from __future__ import annotations

import pytest

from accounts.forms import (
    AddressField,
    CodeForm,
    LineField,
    LoginForm,
    PhoneForm,
    SignUpForm,
    TimeZoneForm,
    zone_words,
)
from accounts.tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def errors_of(form_class: type, **data: str) -> list[str]:
    form = form_class(data)
    return [error for errors in form.errors.values() for error in errors]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  margaret@example.com ", "margaret@example.com"),
        ("Margaret@Example.com", "Margaret@Example.com"),
        ("margaret@müller.example", "margaret@xn--mller-kva.example"),
        ("margaret@ﬁrm.example", "margaret@firm.example"),
        ("\u202ea@example.com", "a@example.com"),
        ("o'hara+tag@example.com", "o'hara+tag@example.com"),
    ],
)
def test_addresses_are_kept_in_one_form(typed: str, kept: str) -> None:
    assert AddressField().clean(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "nonsense",
        "a@b",
        "a@b@c.com",
        "@example.com",
        "a b@example.com",
        "a@example.com\r\nBcc: x@example.com",
        "a@example.com, b@example.com",
        "Margaret <a@example.com>",
        '"a b"@example.com',
        "ﬁ@example.com",
        "ı@example.com",
        "a@" + "x" * 300 + ".com",
        "x" * 300 + "@example.com",
        "a@.com",
        "a\x00@example.com",
        "\u212a@example.com",
    ],
)
def test_what_is_no_address_gets_a_sentence(typed: str) -> None:
    assert errors_of(SignUpForm, name="M", email=typed, password=PASSWORD) == [
        "That does not look like an email address. It should look like name@example.com."
    ]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Margaret   Ellis ", "Margaret Ellis"),
        ("Margaret\r\nBcc: x@example.com", "Margaret Bcc: x@example.com"),
        ("a\x00b", "a b"),
        ("\u202eevil", "evil"),
        ("José Ñandú 李", "José Ñandú 李"),
    ],
)
def test_a_line_stays_one_line(typed: str, kept: str) -> None:
    assert LineField(required=False).clean(typed) == kept


def test_a_password_is_taken_whole() -> None:
    form = LoginForm({"email": "a@example.com", "password": "  nul\x00 and spaces  "})

    assert form.is_valid()
    assert form.cleaned_data["password"] == "  nul\x00 and spaces  "


def test_empty_answers_get_a_sentence_each() -> None:
    assert errors_of(SignUpForm) == [
        "Please write your name.",
        "Please write your email address.",
        "Please choose a password.",
    ]


def test_the_zone_of_the_business_is_kept_as_none() -> None:
    data = {"name": "M", "email": "a@example.com", "password": PASSWORD}

    for chosen, kept in (("America/Chicago", ""), ("", ""), ("America/Denver", "America/Denver")):
        form = SignUpForm({**data, "time_zone": chosen})
        assert form.is_valid()
        assert form.cleaned_data["time_zone"] == kept
    assert not SignUpForm({**data, "time_zone": "Mars/Olympus"}).is_valid()


@pytest.mark.parametrize("typed", ["123456", "123 456", " 123-456 ", "12 34 56"])
def test_a_code_takes_spaces_and_dashes(typed: str) -> None:
    form = CodeForm({"code": typed})

    assert form.is_valid()
    assert form.cleaned_data["code"] == "123456"


@pytest.mark.parametrize("typed", ["12345", "1234567", "abcdef", "１２３４５６", "\x00", "9" * 10_000])
def test_what_is_no_code_gets_a_sentence(typed: str) -> None:
    assert len(errors_of(CodeForm, code=typed)) == 1


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", ""),
        ("(312) 555-0142", "(312) 555-0142"),
        ("+1 312.555.0142", "(312) 555-0142"),
        ("312 555 0142 ext 12", "(312) 555-0142 ext. 12"),
        ("+44 20 7946 0958", "+44 20 7946 0958"),
    ],
)
def test_phone_numbers_are_kept_in_one_form(typed: str, kept: str) -> None:
    form = PhoneForm({"phone": typed})

    assert form.is_valid()
    assert form.cleaned_data["phone"] == kept


@pytest.mark.parametrize("typed", ["12", "call me", "<b>312 555 0142</b>", "1" * 50, "\x00"])
def test_what_is_no_phone_number_gets_a_sentence(typed: str) -> None:
    assert errors_of(PhoneForm, phone=typed) in (
        ["That does not look like a phone number. Write it with the area code."],
        [],
    )
    if "\x00" not in typed:
        assert not PhoneForm({"phone": typed}).is_valid()


def test_every_zone_may_be_chosen_and_nothing_else() -> None:
    for chosen in ("", "America/New_York", "Europe/Paris"):
        assert TimeZoneForm({"time_zone": chosen}).is_valid()
    assert not TimeZoneForm({"time_zone": "../../etc/passwd"}).is_valid()


def test_zones_have_names_people_know() -> None:
    assert zone_words("") == "Central Time (Chicago)"
    assert zone_words("America/New_York") == "Eastern Time (New York)"
    assert zone_words("America/Argentina/Buenos_Aires") == "Buenos Aires time (Argentina)"


def test_the_profile_offers_our_own_zone_once() -> None:
    page = str(TimeZoneForm(initial={"time_zone": "America/Chicago"})["time_zone"])

    assert page.count("Central Time (Chicago)") == 1
    assert '<option value="" selected>' in page


def test_the_profile_keeps_a_zone_with_an_old_name() -> None:
    assert not TimeZoneForm({"time_zone": "US/Central"}).is_valid()
    form = TimeZoneForm({"time_zone": "US/Central"}, initial={"time_zone": "US/Central"})
    assert form.is_valid()
