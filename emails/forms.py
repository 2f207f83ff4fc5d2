"""What a person may choose about mail."""

from __future__ import annotations

from django import forms


class ChoicesForm(forms.Form):
    """Two kinds of mail that need not come."""

    use_required_attribute = False

    wants_reminders = forms.BooleanField(
        label="Remind me of a session",
        required=False,
        help_text="One email the day before. If you turn this off, please write the day down yourself.",
    )
    wants_news = forms.BooleanField(
        label="Send me news and tips",
        required=False,
        help_text="New courses, safety tips and what is new with us. Now and then, never every day.",
    )
