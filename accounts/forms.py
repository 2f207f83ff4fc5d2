"""What people type about themselves: shape and wording. The rules stand in the services."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.validators import EXAMPLE
from emails.exceptions import InvalidRecipient
from emails.services.outbox import bare_address
from settings_app.services import business_zone
from techdeputies.lib.phones import phone_words
from techdeputies.lib.times import US_ZONES, known_zone, other_zones, zone_name

BAD_ADDRESS = "That does not look like an email address. It should look like name@example.com."
PASSWORD_HINT = f"12 letters or more. Three words you like work well, such as {EXAMPLE}."
_TURNING_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class LineField(forms.CharField):
    """One line of text: control characters and marks that turn the direction of writing become spaces."""

    def to_python(self, value: Any) -> str:
        text = str(value or "")
        shown = "".join(" " if unicodedata.category(sign) == "Cc" or sign in _TURNING_MARKS else sign for sign in text)
        return str(super().to_python(" ".join(shown.split())))


class AddressField(LineField):
    """A new email address, in the one form we keep: trimmed, the domain in ASCII."""

    widget = forms.EmailInput

    def __init__(self, **options: Any) -> None:
        options.setdefault("error_messages", {"required": "Please write your email address."})
        super().__init__(**options)

    def clean(self, value: Any) -> str:
        address = str(super().clean(value))
        if not address:
            return address
        local, _, domain = address.rpartition("@")
        if not local.isascii():  # Django's pattern lets look-alikes such as the dotless i pass
            raise ValidationError(BAD_ADDRESS)
        try:
            return bare_address(f"{local}@{domain.encode('idna').decode()}")
        except (UnicodeError, InvalidRecipient):
            raise ValidationError(BAD_ADDRESS) from None


class PasswordField(forms.CharField):
    """Taken whole, as typed. What it may hold is the service's question, so every sign gets as far as that."""

    def __init__(self, *, autocomplete: str, **options: Any) -> None:
        options.setdefault("error_messages", {"required": "Please write your password."})
        widget = forms.PasswordInput(attrs={"autocomplete": autocomplete, "autocapitalize": "none"})
        super().__init__(strip=False, widget=widget, **options)

    def run_validators(self, value: Any) -> None:
        """Django's would answer a NUL in words of its own."""


def new_password_field(label: str = "Choose a password") -> PasswordField:
    return PasswordField(
        label=label,
        autocomplete="new-password",
        help_text=PASSWORD_HINT,
        error_messages={"required": "Please choose a password."},
    )


class PlainForm(forms.Form):
    """No ``required`` in the markup: our own words stand beside the question instead of the browser's."""

    use_required_attribute = False


class LoginForm(PlainForm):
    email = LineField(
        label="Email address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
        error_messages={"required": "Please write your email address.", "max_length": BAD_ADDRESS},
    )
    password = PasswordField(
        label="Password",
        autocomplete="current-password",
        help_text="Capital letters matter. Check that Caps Lock is off.",
    )


class SignUpForm(PlainForm):
    name = LineField(
        label="Your name",
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={
            "required": "Please write your name.",
            "max_length": "That name is too long for us. Please write a shorter one.",
        },
    )
    email = AddressField(
        label="Email address",
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
        help_text="We send you an email to check that it is yours.",
    )
    password = new_password_field()
    time_zone = forms.ChoiceField(
        label="Your time zone",
        choices=US_ZONES,
        required=False,
        initial=lambda: business_zone().key,
        help_text="We show you all times in this zone.",
        error_messages={"invalid_choice": "Please pick a time zone from the list."},
    )

    def clean_time_zone(self) -> str:
        """Empty for the business's own, so that it follows should the business move."""
        chosen = str(self.cleaned_data["time_zone"])
        return "" if chosen == business_zone().key else chosen


class CodeForm(PlainForm):
    code = LineField(
        label="The code from our email",
        help_text="Six digits. You can also press the button in the email.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
        error_messages={"required": "Please write the code from our email."},
    )

    def clean_code(self) -> str:
        """Spaces and dashes are welcome."""
        code = re.sub(r"[\s\-–.]", "", self.cleaned_data["code"])
        if not re.fullmatch(r"[0-9]{6}", code):
            raise ValidationError("The code has six digits, such as 123 456. Please look at it again.")
        return code


class ResetRequestForm(PlainForm):
    email = AddressField(
        label="Email address",
        help_text="The one you sign in with.",
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )


class NewPasswordForm(PlainForm):
    password = new_password_field("Choose a new password")


class ChangePasswordForm(PlainForm):
    current_password = PasswordField(
        label="Your present password",
        autocomplete="current-password",
        error_messages={"required": "Please write your present password."},
    )
    password = new_password_field("Choose a new password")


class EmailChangeForm(PlainForm):
    email = AddressField(
        label="Your new email address",
        help_text="We send an email to it. Nothing changes before you press the button in that email.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"required": "Please write your new email address."},
    )
    current_password = PasswordField(
        label="Your password",
        autocomplete="current-password",
        help_text="We ask for it, so that nobody else can move your account.",
    )


class DeleteForm(PlainForm):
    current_password = PasswordField(
        label="Your password",
        autocomplete="current-password",
        help_text="We ask for it, so that nobody else can delete your account.",
    )


class KeepAccountForm(PlainForm):
    password = PasswordField(
        label="Your password",
        autocomplete="current-password",
        help_text="The one you signed in with before.",
    )


class NameForm(PlainForm):
    name = LineField(
        label="What is your name?",
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={
            "required": "Please write your name.",
            "max_length": "That name is too long for us. Please write a shorter one.",
        },
    )


class PhoneForm(PlainForm):
    phone = LineField(
        label="What is your phone number?",
        required=False,
        help_text="We call it only for a session you booked. You can leave this empty.",
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel", "type": "tel"}),
    )

    def clean_phone(self) -> str:
        phone = str(self.cleaned_data["phone"])
        digits = sum(sign.isdigit() for sign in phone)
        if phone and not (re.fullmatch(r"[0-9+(). /\-–extEXT#]{1,40}", phone) and 7 <= digits <= 20):
            raise ValidationError("That does not look like a phone number. Write it with the area code.")
        return phone_words(phone)


def zone_choices(present: str) -> list[tuple[str, Any]]:
    """Ours first, then the zones of the United States, then the world's; and an old name that a person has."""
    ours = business_zone()
    listed = [("", f"The same as ours: {zone_name(ours)}")]
    states = [(name, words) for name, words in US_ZONES if name != ours.key]
    others = [(name, words) for name, words in other_zones() if name != ours.key]
    zone = known_zone(present)
    if zone is not None and present not in {ours.key, *dict(states), *dict(others)}:
        listed.append((present, zone_name(zone)))
    return [*listed, ("United States", states), ("Other places", others)]


class TimeZoneForm(PlainForm):
    time_zone = forms.ChoiceField(
        label="Which time zone are you in?",
        required=False,
        help_text="We show you all times in this zone, with its name.",
        error_messages={"invalid_choice": "Please pick a time zone from the list."},
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        present = str(self.initial.get("time_zone") or "")
        if present == business_zone().key:
            self.initial["time_zone"] = ""
        self.fields["time_zone"].choices = zone_choices(present)  # type: ignore[attr-defined]


def zone_words(time_zone: str) -> str:
    """How the profile names the chosen zone."""
    return zone_name(known_zone(time_zone) or business_zone())
