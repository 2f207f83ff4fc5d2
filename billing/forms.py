"""What people type about their plan: shape and wording."""

from __future__ import annotations

from accounts.forms import AddressField, PlainForm


class InviteForm(PlainForm):
    email = AddressField(
        label="Their email address",
        help_text="We write to them in your name. It costs them nothing.",
        error_messages={"required": "Please write the email address of the person you want to share with."},
    )
