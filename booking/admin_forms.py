"""What staff type when they offer times and book for a caller. The services decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import User
from booking.models import CalendarEvent
from settings_app.services import business_zone
from techdeputies.lib.times import clock, day_words, zone_name

MOST_TIMES = 300
CLOCK_FORMATS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I %p", "%I%p")
"""How staff type a time: 15:30, 3:30 PM, 3:30pm, 2 pm."""
WRITE_REASON = {"required": "Write the reason; people will read it."}
WRITE_ADDRESS = {
    "required": "Write the mail address of the person.",
    "invalid": "That is not a whole mail address. Write it like harold@example.com.",
}


class EventForm(forms.ModelForm):
    """A time to offer. Dates and times are in the business's zone."""

    class Meta:
        model = CalendarEvent
        fields = ("title", "description", "start_time", "end_time", "deputy", "capacity", "kind", "place")
        labels = {
            "title": "Title",
            "description": "What it is about",
            "start_time": "It begins",
            "end_time": "It ends",
            "deputy": "Deputy",
            "capacity": "Places",
            "kind": "How it happens",
            "place": "Where",
        }
        error_messages = {
            "title": {"required": "Write a title; people will read it."},
            "start_time": {"required": "Write the day and the time it begins, such as 11/30/2026 and 3:30 PM."},
            "end_time": {"required": "Write the day and the time it ends, such as 11/30/2026 and 4:30 PM."},
            "deputy": {"required": "Choose who holds the session."},
            "capacity": {
                "required": "Write how many places there are, such as 2.",
                "invalid": "Write the places as a number, such as 2.",
            },
            "kind": {"required": "Choose how it happens."},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "deputy" in self.fields:
            self.fields["deputy"].queryset = User.objects.staff().order_by("name")  # type: ignore[attr-defined]
            for button in ("can_add_related", "can_change_related", "can_view_related"):
                setattr(self.fields["deputy"].widget, button, False)
        for name in ("start_time", "end_time"):
            if name in self.fields:
                self.fields[name].help_text = f"Such as 11/30/2026 and 3:30 PM, in {zone_name(business_zone())}."
                date_field, time_field = self.fields[name].fields  # type: ignore[attr-defined]
                date_field.error_messages["invalid"] = "Write the day as month/day/year, such as 11/30/2026."
                time_field.input_formats = CLOCK_FORMATS
                time_field.error_messages["invalid"] = "Write the time with AM or PM, such as 3:30 PM."
                day, time = self.fields[name].widget.widgets
                day.attrs["aria-label"] = f"{self.fields[name].label}: date"
                time.attrs["aria-label"] = f"{self.fields[name].label}: time"
        if "capacity" in self.fields:
            self.fields["capacity"].min_value = 1  # type: ignore[attr-defined]

    def _get_validation_exclusions(self) -> set[str]:
        """The rule against overlaps reads two columns that are not typed here."""
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions - {"status", "overlap_exempt"}

    def clean_capacity(self) -> int:
        """Places that are taken cannot be taken away; say whose they are."""
        capacity: int = self.cleaned_data["capacity"]
        if capacity < 1:
            raise forms.ValidationError("There must be at least one place.")
        if self.instance.pk and not self.instance._state.adding:
            taken = self.instance.bookings.confirmed().select_related("user").order_by("booked_at")
            names = [str(booking.user) for booking in taken]
            if capacity < len(names):
                people = "person has" if len(names) == 1 else "people have"
                raise forms.ValidationError(
                    f"{len(names)} {people} a place: {', '.join(names)}. Move or cancel a booking first."
                )
        return capacity

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("start_time"), cleaned.get("end_time")
        if start and end and end <= start:
            self.add_error("end_time", "The session must end after it starts.")
        if start and "start_time" in self.changed_data and start <= timezone.now():
            self.add_error("start_time", "That time has passed. Please choose a later one.")
        return cleaned


class CancelEventForm(forms.Form):
    """Everyone with a place reads the reason."""

    reason = forms.CharField(
        label="Reason",
        max_length=500,
        error_messages=WRITE_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Everyone who has a place gets it by mail. Their session comes back to them.",
    )


def open_times(but: str = "") -> list[tuple[str, str]]:
    """The next times with places, as a list to choose from."""
    zone = business_zone()
    rows = (
        CalendarEvent.objects.open()
        .with_places()
        .filter(start_time__gt=timezone.now())
        .exclude(pk=but)
        .select_related("deputy")
        .order_by("start_time")[:MOST_TIMES]
    )
    return [
        (
            row.pk,
            f"{day_words(row.start_time, zone)} at {clock(row.start_time, zone)}: {row.title},"
            f" {row.deputy}, {row.places_left} left",
        )
        for row in rows
    ]


class TimeForm(forms.Form):
    """One of the open times."""

    event = forms.ChoiceField(
        label="Time",
        error_messages={
            "required": "Choose a time.",
            "invalid_choice": "That time has no place left by now. Choose another one.",
        },
    )

    def __init__(self, *args: Any, but: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["event"].choices = [("", "Choose a time"), *open_times(but)]  # type: ignore[attr-defined]

    def chosen(self) -> CalendarEvent:
        return CalendarEvent.objects.get(pk=self.cleaned_data["event"])


class BookForm(TimeForm):
    """A place for a caller, by the rules and with the mails of the site."""

    email = forms.EmailField(label="Mail address of the person", max_length=254, error_messages=WRITE_ADDRESS)
    topic = forms.CharField(
        label="What it is about",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="You can leave this empty.",
    )
    contact_phone = forms.CharField(
        label="Phone number for the session",
        required=False,
        max_length=40,
        help_text="If you leave this empty, it is the number of their profile.",
    )
    field_order = ("email", "event", "topic", "contact_phone")

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"]
        self.person = User.objects.present().with_email(address).first()
        if self.person is None:
            raise forms.ValidationError("Nobody has an account with that mail address. Please check it.")
        return address


class OverrideForm(forms.Form):
    """Past the cutoff a reason is needed, and the session comes back all the same."""

    override_reason = forms.CharField(
        label="Reason for an exception",
        required=False,
        max_length=255,
        help_text="Leave it empty if none is needed. Only staff see that there was one.",
    )


class MoveForm(TimeForm, OverrideForm):
    """Another time for a booking."""

    field_order = ("event", "override_reason")
