"""What a person wants to get: news, and reminders before a session. Everything else always goes.

The choices belong to the address, so that a link in a mail can change them without a log-in. No row means
everything, unless the address stands as unsubscribed: that is how wishes come from Mailgun and the old site.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now

from emails.models import Choice, EmailPreference, SuppressionType
from emails.services import suppression

FIELDS = {Choice.NEWS: "wants_news", Choice.REMINDERS: "wants_reminders"}


@dataclass(frozen=True, slots=True)
class Choices:
    wants_news: bool = True
    wants_reminders: bool = True

    def wants(self, choice: str) -> bool:
        """Whether a mail of this choice may go; mail without one always does."""
        return bool(getattr(self, FIELDS[Choice(choice)])) if choice else True


def get(email: str) -> Choices:
    """What holds for the address now."""
    row = EmailPreference.objects.of(email).first()
    if row is not None:
        return Choices(row.wants_news, row.wants_reminders)
    stop = suppression.find(email)
    wants_all = stop is None or stop.type != SuppressionType.UNSUBSCRIBE
    return Choices(wants_all, wants_all)


@transaction.atomic
def save(*, email: str, wants_news: bool, wants_reminders: bool) -> None:
    """Keep both choices. Wanting everything also takes back an unsubscribe."""
    suppression.hold(email)
    _write(email, Choices(wants_news, wants_reminders))


@transaction.atomic
def unsubscribe(*, email: str, choice: str) -> None:
    """Stop one kind of mail; the other choice stays as it is. A second time changes nothing."""
    suppression.hold(email)
    _write(email, _with(get(email), choice, wanted=False))
    suppression.record(
        email=email,
        type=SuppressionType.UNSUBSCRIBE,
        reason=f"Stopped by the link in a mail: {Choice(choice).label.lower()}",
        expires_at=None,
        is_at_mailgun=False,
    )


@transaction.atomic
def resume(*, email: str, choice: str) -> None:
    """Take ``unsubscribe`` back: this kind of mail comes again."""
    suppression.hold(email)
    _write(email, _with(get(email), choice, wanted=True))


@transaction.atomic
def move(*, old: str, new: str) -> None:
    """The person has another address: their choices go with them. A no that stands there already stays."""
    if suppression.fold(old) == suppression.fold(new):
        return
    suppression.hold(old, new)
    theirs, there = get(old), get(new)
    EmailPreference.objects.of(old).delete()
    both = Choices(theirs.wants_news and there.wants_news, theirs.wants_reminders and there.wants_reminders)
    if both != there:
        _write(new, both)


def _with(choices: Choices, choice: str, *, wanted: bool) -> Choices:
    changed = {FIELDS[Choice(choice)]: wanted}
    return Choices(**{"wants_news": choices.wants_news, "wants_reminders": choices.wants_reminders, **changed})


def _write(email: str, choices: Choices) -> None:
    values = {"wants_news": choices.wants_news, "wants_reminders": choices.wants_reminders}
    if not EmailPreference.objects.of(email).update(updated_at=Now(), **values):
        EmailPreference.objects.create(email=suppression.fold(email), **values)
    if choices == Choices():
        suppression.forgive_unsubscribe(email)
