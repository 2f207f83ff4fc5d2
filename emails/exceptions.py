"""What goes wrong with mail: one refusal for people, the rest for us."""

from __future__ import annotations

from techdeputies.lib.exceptions import DomainError


class InvalidRecipient(DomainError):
    message = "That email address does not look right. Please check it and try again."


class UnknownTemplate(LookupError):
    """Neither a row of ``email_templates`` nor a folder of message files has this name: a defect of ours."""


class TemplateFault(Exception):
    """A template cannot be used: bad syntax, a variable nobody gave, or a limit reached. The text says which."""


class LookUpUnavailable(Exception):
    """The provider could not be asked what became of a mail: no read key, or no usable answer."""


class NotFailed(DomainError):
    message = "Only a mail that was not sent can be tried again."


class AlreadyTriedAgain(DomainError):
    message = "This mail is already being tried again."


class SecretsAreGone(DomainError):
    message = "This mail carried a private link, which has been thrown away. Please send a new link instead."


class MailgunUnreachable(DomainError):
    message = "Mailgun cannot be reached just now, so nothing was changed. Please try again in a few minutes."


class NotStopped(DomainError):
    message = "Mail to this address is not stopped. Somebody may have lifted it a moment ago."


class StoppedAgain(DomainError):
    message = "While you were lifting it, this address was stopped again. Look at the new cause first."


class BodyIsGone(DomainError):
    message = "The text of this mail has been thrown away, as that of all old mail is. Please write a new one."


class NotWaiting(DomainError):
    message = "Only a mail that still waits can be cancelled. This one does not wait any more."


class NothingToApply(DomainError):
    message = "Only a post that failed or matched no mail can be tried again, and only while its body is kept."


class ChangedMeanwhile(DomainError):
    message = "Somebody changed this wording while you worked. Copy your words, open the page again, and put them in."


class WordingRefused(DomainError):
    """``faults`` maps each field of the form to sentences for staff."""

    message = "This wording cannot be used as it is. Please look at what is marked."

    def __init__(self, faults: dict[str, list[str]]) -> None:
        super().__init__()
        self.faults = faults


class NoSuchWording(DomainError):
    message = "That earlier wording is not kept here. Please choose one from the list."


class TooManyTests(DomainError):
    message = "You have sent many test emails. Please wait ten minutes, then send the next one."
