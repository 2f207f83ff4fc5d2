"""Wrong mail settings stop the start, by name."""

from __future__ import annotations

from typing import Any

import pytest

from emails.checks import mail_settings


def found() -> list[str]:
    return [str(message.id) for message in mail_settings(None)]


def test_the_settings_of_this_run_are_fine() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("MAILGUN_SENDER_DOMAIN", "https://mail.example.com", "emails.E001"),
        ("MAILGUN_API_URL", "https://api.mailgun.net", "emails.E002"),
        ("MAILGUN_API_URL", "http://api.mailgun.net/v3", "emails.E003"),
        ("DEFAULT_FROM_EMAIL", "a@example.com, b@example.com", "emails.E004"),
        ("DEFAULT_FROM_EMAIL", "The Tech Deputies", "emails.E004"),
        ("EMAIL_BATCH_SIZE", 500, "emails.E005"),
    ],
)
def test_a_wrong_setting_is_named(settings: Any, name: str, value: Any, check: str) -> None:
    setattr(settings, name, value)

    assert found() == [check]
