"""The known settings: each with its type, default, bounds and help. Only these keys exist.

A row in ``settings`` holds a value that differs from the default; what is not there is the default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from settings_app.exceptions import BadSettingValue
from techdeputies.lib.times import known_zone

Value = Any


@dataclass(frozen=True)
class Known:
    """One setting. ``read`` turns the stored text into the value, or raises BadSettingValue."""

    key: str
    group: str
    label: str
    help: str
    default: Value
    read: Callable[[str], Value]
    unit: str = ""
    secret: bool = False
    purpose: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "purpose", f"setting:{self.key}")

    def write(self, value: Value) -> str:
        """The value as the table holds it."""
        if isinstance(value, bool):
            return "true" if value else "false"
        return value.key if isinstance(value, ZoneInfo) else str(value)


def whole(minimum: int, maximum: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def read(text: str) -> int:
        try:
            number = int(text.strip())
        except ValueError:
            raise BadSettingValue("Please write a whole number.") from None
        if not minimum <= number <= maximum:
            raise BadSettingValue(f"Please write a number from {minimum:,} to {maximum:,}.")
        return number

    return read


def line(maximum: int, minimum: int = 1) -> Callable[[str], str]:
    """One line of text."""

    def read(text: str) -> str:
        cleaned = text.strip()
        if not minimum <= len(cleaned) <= maximum:
            raise BadSettingValue(f"Please write between {minimum} and {maximum} characters.")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in cleaned):
            raise BadSettingValue("Please write everything on one line.")
        return cleaned

    return read


def phone(text: str) -> str:
    number = line(40)(text)
    if len([letter for letter in number if letter.isdigit()]) < 7:
        raise BadSettingValue("Please write a whole phone number, with the area code.")
    return number


def mail_address(text: str) -> str:
    address = line(254)(text)
    try:
        validate_email(address)
    except ValidationError:
        raise BadSettingValue("Please write a mail address, such as help@example.com.") from None
    return address


def zone(text: str) -> ZoneInfo:
    found = known_zone(text.strip())
    if found is None:
        raise BadSettingValue("Please write a time zone such as America/Chicago.")
    return found


BUSINESS, BOOKING, MONEY, MAIL, LIMITS = "The business", "Booking", "Money", "Mail", "Limits"

_KNOWN = (
    Known("business_name", BUSINESS, "Name", "On every page and in every mail.", "The Tech Deputies", line(80)),
    Known("business_phone", BUSINESS, "Phone", "On every page and in every mail.", "(312) 555-0142", phone),
    Known(
        "business_email",
        BUSINESS,
        "Mail address",
        "Where people write to.",
        "help@thetechdeputies.example",
        mail_address,
    ),
    Known(
        "business_address",
        BUSINESS,
        "Postal address",
        "At the foot of each mail, in one line.",
        "The Tech Deputies, 120 Badge Street, Chicago, IL 60601",
        line(200),
    ),
    Known(
        "business_hours_words",
        BUSINESS,
        "Opening hours in words",
        "Beside the phone number.",
        "Monday to Saturday, 8 AM to 8 PM Central Time",
        line(120),
    ),
    Known(
        "business_time_zone",
        BUSINESS,
        "Time zone",
        "All times are shown in it unless a person chose another.",
        ZoneInfo("America/Chicago"),
        zone,
    ),
    Known(
        "booking_notice_hours",
        BOOKING,
        "Notice for booking",
        "Sessions that start sooner can only be booked by phone.",
        2,
        whole(0, 168),
        "hours",
    ),
    Known(
        "booking_horizon_days",
        BOOKING,
        "How far ahead people may book",
        "Later times are not shown.",
        60,
        whole(1, 366),
        "days",
    ),
    Known(
        "cancellation_cutoff_hours",
        BOOKING,
        "Free cancelling until",
        "Before the start. Later, the session counts.",
        24,
        whole(0, 336),
        "hours",
    ),
    Known(
        "reminder_hours_before",
        BOOKING,
        "Reminder",
        "How long before the start it is sent.",
        24,
        whole(1, 168),
        "hours",
    ),
    Known(
        "single_visit_price_cents",
        MONEY,
        "Price of one session without a plan",
        "In cents: 3500 is $35.",
        3500,
        whole(100, 100_000),
        "cents",
    ),
    Known(
        "payment_grace_days",
        MONEY,
        "Days of grace after a failed payment",
        "Sessions that are booked stay, new ones wait. Then the plan gives nothing until it is paid.",
        7,
        whole(0, 30),
        "days",
    ),
    Known(
        "subscription_warning_threshold",
        MONEY,
        "Warning before a plan ends",
        "How long before its last day a person who does not go on is told.",
        3,
        whole(1, 30),
        "days",
    ),
    Known(
        "family_invitation_days",
        MONEY,
        "Invitations to share a plan work for",
        "Then the person has to be asked again.",
        14,
        whole(1, 90),
        "days",
    ),
    Known(
        "stripe_portal_configuration",
        MONEY,
        "Stripe's number for our customer portal",
        "Written by the command sync_stripe. Empty: Stripe's own default is used.",
        "",
        line(100, minimum=0),
    ),
    Known(
        "stripe_event_days",
        MONEY,
        "Events of Stripe are kept whole",
        "Then their contents are thrown away; which event came when stays.",
        180,
        whole(7, 3_650),
        "days",
    ),
    Known(
        "mail_rate_per_second",
        MAIL,
        "Mails to Mailgun",
        "Of all workers together. 0 means no limit of ours.",
        50,
        whole(0, 10_000),
        "a second",
    ),
    Known(
        "mail_body_days",
        MAIL,
        "Bodies of old mails are kept",
        "Then the words are thrown away; who, when and what became of it stays.",
        90,
        whole(7, 3_650),
        "days",
    ),
    Known(
        "mail_post_days",
        MAIL,
        "Posts of Mailgun are kept whole",
        "Then address, device and text are thrown away; what happened stays.",
        180,
        whole(7, 3_650),
        "days",
    ),
    Known(
        "limit_login_per_address",
        LIMITS,
        "Sign-in tries from one address",
        "In one minute.",
        30,
        whole(1, 10_000),
        "tries",
    ),
    Known(
        "limit_login_per_account",
        LIMITS,
        "Wrong sign-ins for one account",
        "In 15 minutes.",
        5,
        whole(1, 1_000),
        "tries",
    ),
    Known(
        "limit_signup_per_address",
        LIMITS,
        "New accounts from one address",
        "In one minute.",
        20,
        whole(1, 10_000),
        "tries",
    ),
    Known(
        "limit_reset_per_address",
        LIMITS,
        "Forgotten passwords from one address",
        "In one minute.",
        20,
        whole(1, 10_000),
        "tries",
    ),
    Known(
        "limit_reset_per_account",
        LIMITS,
        "Reset links for one account",
        "In one hour.",
        5,
        whole(1, 1_000),
        "links",
    ),
    Known(
        "limit_verify_per_address",
        LIMITS,
        "Verification tries from one address",
        "In one minute.",
        20,
        whole(1, 10_000),
        "tries",
    ),
    Known(
        "limit_verify_per_account",
        LIMITS,
        "Verification tries and mails for one account",
        "In one day.",
        20,
        whole(1, 1_000),
        "tries",
    ),
    Known(
        "limit_unsubscribe_per_address",
        LIMITS,
        "Presses on the link that stops mail, from one address",
        "In one minute. Mail programs of many people press from the same few addresses.",
        300,
        whole(1, 100_000),
        "presses",
    ),
    Known(
        "limit_booking_per_address",
        LIMITS,
        "Bookings, moves and cancellations from one address",
        "In one minute.",
        60,
        whole(1, 10_000),
        "presses",
    ),
    Known(
        "limit_booking_per_account",
        LIMITS,
        "Bookings, moves and cancellations of one person",
        "In one minute.",
        20,
        whole(1, 1_000),
        "presses",
    ),
    Known(
        "limit_checkout_per_address",
        LIMITS,
        "Ways to the payment page and changes of plan, from one address",
        "In one minute.",
        60,
        whole(1, 10_000),
        "presses",
    ),
    Known(
        "limit_checkout_per_account",
        LIMITS,
        "Ways to the payment page and changes of plan, of one person",
        "In one minute.",
        15,
        whole(1, 1_000),
        "presses",
    ),
    Known(
        "limit_family_per_account",
        LIMITS,
        "Invitations to share a plan, of one person",
        "In one day.",
        20,
        whole(1, 1_000),
        "invitations",
    ),
    Known(
        "limit_api_per_address",
        LIMITS,
        "Questions to the API from one address",
        "In one minute.",
        300,
        whole(1, 100_000),
        "questions",
    ),
    Known(
        "limit_api_per_account",
        LIMITS,
        "Questions to the API of one person",
        "In one minute.",
        120,
        whole(1, 10_000),
        "questions",
    ),
)

KNOWN: dict[str, Known] = {known.key: known for known in _KNOWN}

# How long the tries of a limit are counted together. An editable window would change what a stored count means.
WINDOW_SECONDS: dict[str, int] = {
    "limit_login_per_address": 60,
    "limit_login_per_account": 15 * 60,
    "limit_signup_per_address": 60,
    "limit_reset_per_address": 60,
    "limit_reset_per_account": 60 * 60,
    "limit_verify_per_address": 60,
    "limit_verify_per_account": 24 * 60 * 60,
    "limit_unsubscribe_per_address": 60,
    "limit_booking_per_address": 60,
    "limit_booking_per_account": 60,
    "limit_checkout_per_address": 60,
    "limit_checkout_per_account": 60,
    "limit_family_per_account": 24 * 60 * 60,
    "limit_api_per_address": 60,
    "limit_api_per_account": 60,
}
