"""Which addresses must not be written to, and why: one row per address, with its strongest cause.

Whoever adds, lifts or chooses for an address first takes a lock named after it (``hold``), so that two causes
at the same moment meet one after the other. Mailgun keeps lists of its own: a row with ``is_at_mailgun`` leaves
only after the address has left those, else Mailgun would go on dropping the mail while saying "accepted".
"""

from __future__ import annotations

import time
import zlib
from datetime import datetime

import structlog
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from audit.actors import Actor
from audit.services import record_admin_action
from emails import gateway
from emails.exceptions import MailgunUnreachable, NotStopped, StoppedAgain
from emails.models import EmailPreference, EmailSuppression, SuppressionType
from emails.signals import address_cleared, address_stopped

logger = structlog.get_logger(__name__)

STRENGTH = {
    SuppressionType.UNSUBSCRIBE: 0,
    SuppressionType.MANUAL: 1,
    SuppressionType.COMPLAINT: 2,
    SuppressionType.BOUNCE: 3,
}
PROBLEMS = frozenset({SuppressionType.BOUNCE, SuppressionType.COMPLAINT, SuppressionType.MANUAL})
"""The causes a person is told of. An unsubscribe is their own wish."""

BATCH = 200
RUN_SECONDS = 15.0
"""No clearing begins later in a run of the clock; what is left waits for the next."""

_LOCK_SPACE = 0x6D61696C  # "mail": keeps these locks apart from others of the database


def fold(email: str) -> str:
    """The one form in which an address is compared and kept here."""
    return email.strip().lower()


def hold(*addresses: str) -> None:
    """Until the transaction ends, nobody else adds, lifts or chooses for these addresses."""
    keys = sorted({zlib.crc32(fold(address).encode()) - 2**31 for address in addresses})
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, key])


def find(email: str) -> EmailSuppression | None:
    """The row that stops mail to the address now; none once its end has passed."""
    return EmailSuppression.objects.live().of(email).first()


def problem(email: str) -> str:
    """Why we cannot reach the address, or "": what stands in ``users.email_problem``."""
    row = find(email)
    return row.type if row is not None and row.type in PROBLEMS else ""


@transaction.atomic
def add(
    *,
    email: str,
    type: SuppressionType | str,
    reason: str = "",
    expires_at: datetime | None = None,
    is_at_mailgun: bool,
    actor: Actor | None = None,
) -> EmailSuppression:
    """Stop mail to an address. Never weakens a cause that stands, and never brings its end nearer.

    An unsubscribe turns both choices off, too. ``actor`` is the member of staff, whose act is recorded.
    """
    hold(email)
    kind = SuppressionType(type)
    row = record(email=email, type=kind, reason=reason, expires_at=expires_at, is_at_mailgun=is_at_mailgun)
    if kind == SuppressionType.UNSUBSCRIBE:
        _choose_nothing(email, overwrite=True)
    if actor is not None:
        details = {"asked": kind.value, "type": row.type, "expires_at": row.expires_at}
        record_admin_action(actor=actor, action="emails.emailsuppression.added", target=row, details=details)
    return row


def record(
    *, email: str, type: SuppressionType, reason: str, expires_at: datetime | None, is_at_mailgun: bool
) -> EmailSuppression:
    """The row of the address with this cause in it. The caller holds the address and minds the choices."""
    email = fold(email)
    row = EmailSuppression.objects.of(email).first()
    if row is None:
        row = EmailSuppression(email=email, type=type, reason=reason or None, expires_at=expires_at)
        row.is_at_mailgun = is_at_mailgun
    else:
        _strengthen(row, type, reason, expires_at)
        row.is_at_mailgun = row.is_at_mailgun or is_at_mailgun
    row.save()
    address_stopped.send(sender=EmailSuppression, email=email, type=SuppressionType(row.type))
    return row


def _strengthen(row: EmailSuppression, type: SuppressionType, reason: str, expires_at: datetime | None) -> None:
    """Let a further cause into a row: the stronger cause stays, and the later end."""
    if row.has_ended:
        row.type, row.reason, row.expires_at, row.created_at = type, reason or None, expires_at, timezone.now()
        return
    if SuppressionType.UNSUBSCRIBE in (type, row.type) and type != row.type:
        # The row can hold only one of the two, so the wish is kept where wishes live.
        _choose_nothing(row.email, overwrite=False)
    if STRENGTH[type] < STRENGTH[SuppressionType(row.type)]:
        if type != SuppressionType.UNSUBSCRIBE:
            row.expires_at = _later(row.expires_at, expires_at)
        return
    row.type, row.reason = type, reason or row.reason
    row.expires_at = _later(row.expires_at, expires_at)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """Of two ends the later; no end is later than any."""
    return None if one is None or other is None else max(one, other)


def _choose_nothing(email: str, *, overwrite: bool) -> None:
    choices = {"wants_news": False, "wants_reminders": False}
    found = EmailPreference.objects.of(email)
    if overwrite and found.update(updated_at=Now(), **choices):
        return
    if not found.exists():
        EmailPreference.objects.create(email=fold(email), **choices)


def lift(*, email: str, actor: Actor, reason: str) -> None:
    """Let mail go to an address again, here and at Mailgun. Staff only; stands outside any transaction.

    ``reason`` goes into the audit, so it must be a label and nobody's own words. Lifting an unsubscribe turns both
    choices on again; lifting anything else leaves them as they are. Raises NotStopped, MailgunUnreachable (then
    nothing has changed here), or StoppedAgain when a new cause came in.
    """
    row = EmailSuppression.objects.of(email).first()
    if row is None:
        raise NotStopped
    if row.is_at_mailgun:
        gateway.clear_suppression(row.email)
    with transaction.atomic():
        hold(row.email)
        if not _remove(row):
            raise StoppedAgain
        if row.type == SuppressionType.UNSUBSCRIBE:
            EmailPreference.objects.of(row.email).update(wants_news=True, wants_reminders=True, updated_at=Now())
        details = {"type": row.type, "expires_at": row.expires_at, "reason": reason}
        record_admin_action(actor=actor, action="emails.emailsuppression.lifted", target=row, details=details)


def forgive_unsubscribe(email: str) -> None:
    """The person wants everything again. The caller holds the address.

    Where Mailgun keeps the wish too, the row only ends now, and the clock's next run clears both.
    """
    row = EmailSuppression.objects.of(email).filter(type=SuppressionType.UNSUBSCRIBE).first()
    if row is None:
        return
    if row.is_at_mailgun:
        EmailSuppression.objects.filter(pk=row.pk).live().update(expires_at=Now())
        address_cleared.send(sender=EmailSuppression, email=row.email, type=SuppressionType.UNSUBSCRIBE)
    else:
        _remove(row)


def clear_expired() -> int:
    """Forget the stops whose end has passed, first at Mailgun; returns how many are gone.

    Where Mailgun cannot be reached the rows wait: they stop nothing here, but Mailgun would still drop the mail.
    """
    cleared = 0
    deadline = time.monotonic() + RUN_SECONDS
    # First those that Mailgun need not be asked about.
    for row in EmailSuppression.objects.ended().order_by("is_at_mailgun", "expires_at")[:BATCH]:
        if time.monotonic() > deadline:
            break
        try:
            if row.is_at_mailgun:
                gateway.clear_suppression(row.email)
        except MailgunUnreachable as refusal:
            logger.warning("suppressions_not_cleared", cause=refusal.message, cleared=cleared)
            break
        with transaction.atomic():
            hold(row.email)
            cleared += _remove(row)
    return cleared


def _remove(row: EmailSuppression) -> bool:
    """Delete the row unless another cause has come into it since it was read."""
    seen = {"type": row.type, "expires_at": row.expires_at, "reason": row.reason, "is_at_mailgun": row.is_at_mailgun}
    deleted, _ = EmailSuppression.objects.filter(pk=row.pk, **seen).delete()
    if deleted:
        address_cleared.send(sender=EmailSuppression, email=row.email, type=SuppressionType(row.type))
    return bool(deleted)
