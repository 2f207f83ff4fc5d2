"""Stripe's test cards: what each does when it pays."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.stripe import errors
from sandbox.stripe.errors import ApiError

GOOD = "good"
ASKS = "asks"
FAILS_LATER = "fails_later"
DISPUTED = "disputed"
REFUND_PENDING = "refund_pending"
REFUND_FAILS = "refund_fails"
EMPTY_ACCOUNT = "empty_account"


@dataclass(frozen=True)
class Card:
    number: str
    nature: str
    words: str
    brand: str = "visa"

    @property
    def last4(self) -> str:
        return self.number[-4:]


TEST_CARDS = (
    Card("4242424242424242", GOOD, "Pays"),
    Card("5555555555554444", GOOD, "Pays, and is a Mastercard", "mastercard"),
    Card("4000000000000002", "generic_decline", "Is declined"),
    Card("4000000000009995", "insufficient_funds", "Has no money left"),
    Card("4000000000000069", "expired_card", "Has expired"),
    Card("4000000000000127", "incorrect_cvc", "Has another security code"),
    Card("4000002500003155", ASKS, "Asks the bank first (3-D Secure)"),
    Card("4000000000000341", FAILS_LATER, "Pays now, and is declined from the next time on"),
    Card("4000000000000259", DISPUTED, "Pays, and is disputed right after"),
    Card("4000000000007726", REFUND_PENDING, "Pays, and a refund stays pending"),
    Card("4000000000005126", REFUND_FAILS, "Pays, and a refund fails later"),
)

_BY_NUMBER = {card.number: card for card in TEST_CARDS}

_DECLINES = {
    "generic_decline": ("card_declined", "generic_decline", "Your card was declined."),
    "insufficient_funds": ("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "expired_card": ("expired_card", "", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "", "Your card's security code is incorrect."),
    EMPTY_ACCOUNT: ("insufficient_funds", "", "The bank account has insufficient funds to cover this payment."),
    FAILS_LATER: ("card_declined", "generic_decline", "Your card was declined."),
}


def look_up(number: str) -> Card:
    """The test card with this number; spaces do not matter. A refusal for any other."""
    digits = re.sub(r"[\s-]", "", number)
    found = _BY_NUMBER.get(digits)
    if found is not None:
        return found
    if not re.fullmatch(r"\d{12,19}", digits) or not _adds_up(digits):
        raise errors.declined("incorrect_number", "", "Your card number is incorrect.")
    raise errors.declined(
        "card_declined",
        "test_mode_live_card",
        "Your card was declined. Your request was in test mode, but used a non test (live) card. For a list of valid"
        " test cards, visit: https://stripe.com/docs/testing.",
    )


def refusal(nature: str, *, later: bool) -> ApiError | None:
    """Why a card does not pay. ``later``: the holder is not there, as with a renewal."""
    if nature == FAILS_LATER and not later:
        return None
    found = _DECLINES.get(nature)
    return errors.declined(*found) if found else None


def _adds_up(digits: str) -> bool:
    """The check digit of card numbers (Luhn)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
