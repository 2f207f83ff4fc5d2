"""The refusals of accounts, each in one sentence for the person."""

from __future__ import annotations

from techdeputies.lib.exceptions import DomainError


class WrongPassword(DomainError):
    message = "That email and password do not match. Please try again."


class WrongCurrentPassword(DomainError):
    message = "That is not your present password. Please try again."


class WeakPassword(DomainError):
    message = "Please choose another password."


class LinkUsedUp(DomainError):
    message = "This link was used already, or it is too old. Please ask for a new one."


class CodeNotRight(DomainError):
    message = "That code is not right, or it is too old. Use the code of our newest email, or ask for a new one."


class SameAddress(DomainError):
    message = "That is your address already. Please write the new one."


class AddressTaken(DomainError):
    message = "That address belongs to another account now, so nothing was changed. Please call us."


class StaffStay(DomainError):
    message = "This account is one of our staff's. Please ask the owner of the business to close it."


class NotVerified(DomainError):
    message = (
        "Please tell us first that your email address is yours: open the email we sent you and press the button in it."
    )
