"""What people type when they book."""

from __future__ import annotations

import pytest

from booking.forms import BookingForm


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("312.555.0198", "(312) 555-0198"),
        ("+1 312 555 0198 x7", "(312) 555-0198 ext. 7"),
        ("+44 20 7946 0958", "+44 20 7946 0958"),
    ],
)
def test_the_number_to_call_is_kept_in_one_form(typed: str, kept: str) -> None:
    form = BookingForm({"contact_phone": typed})

    assert form.is_valid()
    assert form.cleaned_data["contact_phone"] == kept
