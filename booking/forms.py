"""What people type when they book. The rules stand in the services."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime

from accounts.forms import LineField, PlainForm
from booking.models import EventKind
from techdeputies.lib.phones import phone_words
from techdeputies.lib.times import US_ZONES, other_zones

TOPIC_MAX_LENGTH = 2000
PHONE_MAX_LENGTH = 40
OTHER = "other"


class TextField(forms.CharField):
    """Several lines; control characters are dropped rather than refused in a programmer's words."""

    def to_python(self, value: Any) -> str:
        text = str(value or "").replace("\r\n", "\n")
        return str(super().to_python("".join(sign for sign in text if sign in "\n\t" or sign.isprintable())))


class SeenField(forms.CharField):
    """The moment the page showed, as an ISO instant; nothing where it is missing or not one."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> Any:
        try:
            moment = parse_datetime(str(value or ""))
        except ValueError:
            return None
        return moment if isinstance(moment, datetime) and moment.tzinfo is not None else None


class BookingForm(PlainForm):
    """How to reach the person, and what it is about.

    ``kind`` says how the two meet, so that the number is asked for only where a deputy calls; who forges it
    merely leaves no number.
    """

    contact_phone = LineField(
        label="Which phone number should we call?",
        max_length=PHONE_MAX_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel"}),
        error_messages={"max_length": "That is longer than a phone number can be. Please write one number only."},
    )
    topic = TextField(
        label="What would you like help with?",
        max_length=TOPIC_MAX_LENGTH,
        required=False,
        widget=forms.Textarea,
        help_text="You can leave this empty. Please do not write passwords here.",
        error_messages={"max_length": "That is a little long. Please tell us in fewer than 2,000 letters."},
    )
    seen_start = SeenField(required=False)

    kind = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, known_phone: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known_phone = known_phone
        self.needs_phone = (self.data.get("kind") or self.initial.get("kind")) != EventKind.IN_PERSON
        if not self.needs_phone:
            self.fields["contact_phone"].label = "On which phone number can we reach you?"
            self.fields["contact_phone"].help_text = "You can leave this empty."

    def clean_contact_phone(self) -> str:
        phone = str(self.cleaned_data["contact_phone"])
        # A form sent without the question at all means the number we know.
        if not phone and "contact_phone" not in self.data:
            phone = self.known_phone
        digits = sum(sign.isdigit() for sign in phone)
        if not phone and not self.needs_phone:
            return ""
        if digits < 7:
            raise ValidationError(
                "Please write your phone number with the area code, such as (312) 555-0187."
                if phone
                else "Please write the phone number we should call."
            )
        return phone_words(phone)


class MoveForm(forms.Form):
    """The new time, and when the page said it was."""

    to = forms.CharField(max_length=36)
    seen_start = SeenField(required=False)


class ZoneForm(PlainForm):
    """The zones of the United States by name, then the world's."""

    zone = forms.ChoiceField(
        label="Which time zone should we show?",
        choices=[*US_ZONES, (OTHER, "Another time zone")],
        widget=forms.RadioSelect,
        error_messages={"required": "Please choose a time zone.", "invalid_choice": "Please choose a time zone."},
    )
    other = forms.ChoiceField(
        label="Another time zone",
        required=False,
        help_text="Only if you chose “Another time zone” above.",
        error_messages={"invalid_choice": "Please choose a time zone from the list."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["other"].choices = [("", "Choose one"), *other_zones()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        zone = cleaned.get("zone")
        if zone == OTHER and "other" in cleaned:
            zone = cleaned["other"]
            if not zone:
                self.add_error("other", "Please choose a time zone from the list.")
        cleaned["chosen"] = zone
        return cleaned
