"""Leaving: the wish to have one's account deleted, the closing, and for 14 days the way back.

The personal data itself is erased later, by ``erase_after``.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts import limits, tokens
from accounts.backends import password_opens
from accounts.exceptions import LinkUsedUp, StaffStay, WrongCurrentPassword
from accounts.models import DeletionUndoLink, User
from accounts.services.mails import mail_person
from accounts.services.people import check_present_password, end_sessions, kill_links, lock
from accounts.signals import deletion_asked, user_deactivated
from audit.actors import Actor
from audit.services import record_security_event
from emails.services.outbox import cancel_emails_to
from settings_app.services import zone_for
from techdeputies.lib.exceptions import DomainError
from techdeputies.lib.times import day_words, when_words

UNDO_LASTS = timedelta(days=14)
WAYS_BACK_AN_HOUR = 3
MAILED_ALL_THE_SAME = ("account_deletion_asked", "account_deletion_waiting", "gift_card_for_recipient")
"""The mails about the deletion itself, and somebody else's gift, whose money is not the person's to stop."""


def ask_deletion(*, user: User, password: str, actor: Actor) -> User:
    """Write the wish down and close the account, at once where nothing has to end outside first.

    The row that comes back is closed, or still open and waiting (``deletion_asked_at``). A second wish changes
    nothing. Raises StaffStay, WrongCurrentPassword or LimitReached; every refusal is written down.
    """
    try:
        if user.is_staff:
            raise StaffStay
        check_present_password(user, password)
    except DomainError as refusal:
        record_security_event(
            kind="deletion_refused", user=user, actor=actor, details={"reason": type(refusal).__name__}
        )
        raise
    with transaction.atomic():
        user = lock(user.pk)
        if user.deletion_asked_at is None:
            user.deletion_asked_at = timezone.now()
            user.save(update_fields=["deletion_asked_at", "updated_at"])
            record_security_event(kind="deletion_asked", user=user, actor=actor)
        answers = deletion_asked.send(sender=User, user=user, actor=actor)
        if not any(answer for _receiver, answer in answers):
            _close(user, actor=actor)
    return user


@transaction.atomic
def keep_account(*, user: User, actor: Actor) -> User:
    """Take the wish back while the account is still open. Raises LinkUsedUp when it has just been closed."""
    user = lock(user.pk)
    if user.deletion_asked_at is not None:
        user.deletion_asked_at = user.deletion_delayed_at = None
        user.save(update_fields=["deletion_asked_at", "deletion_delayed_at", "updated_at"])
        record_security_event(kind="deletion_taken_back", user=user, actor=actor)
    return user


@transaction.atomic
def note_deletion_delay(*, user: User) -> None:
    """Somebody outside cannot be reached, so the deletion waits: kept for the pages, and mailed once."""
    row = User.objects.select_for_update(no_key=True).leaving().filter(pk=user.pk).first()
    if row is None or row.deletion_delayed_at is not None:
        return
    row.deletion_delayed_at = timezone.now()
    row.save(update_fields=["deletion_delayed_at", "updated_at"])
    mail_person(row, "account_deletion_waiting", context=_greeting(row))
    record_security_event(kind="deletion_delayed", user=row, actor=Actor.system())


@transaction.atomic
def finish_deletion(*, user: User, plan_words: str = "") -> User | None:
    """Close the account now that nothing outside holds it; None when the wish was taken back, or it is closed.

    ``plan_words`` say in the mail what became of the plan.
    """
    row = User.objects.select_for_update(no_key=True).leaving().filter(pk=user.pk).first()
    if row is not None:
        _close(row, actor=Actor.system(), plan_words=plan_words)
    return row


def _close(user: User, *, actor: Actor, plan_words: str = "") -> None:
    """Under the person's lock."""
    now = timezone.now()
    user.deleted_at, user.erase_after, user.deletion_delayed_at = now, now + UNDO_LASTS, None
    user.save(update_fields=["deleted_at", "erase_after", "deletion_delayed_at", "updated_at"])
    end_sessions(user)
    kill_links(user)
    user_deactivated.send(sender=User, user=user, actor=actor)
    cancel_emails_to(user.email, keep=MAILED_ALL_THE_SAME, reason="The account was deleted.")
    zone = zone_for(user)
    _mail_link(
        user,
        "account_deletion_asked",
        when_words=when_words(user.deletion_asked_at or now, zone),
        plan_words=plan_words,
    )
    record_security_event(kind="account_closed", user=user, actor=actor)


# --- The way back ---------------------------------------------------------------------------------------


def may_return(user: User) -> bool:
    """Is the account closed, and its data not yet to be erased? Imported deletions have no such time."""
    return user.deleted_at is not None and user.erase_after is not None and user.erase_after > timezone.now()


def mail_way_back(user: User) -> None:
    """Mail the owner of a closed account a link back into it, a few times an hour at most."""
    since = timezone.now() - timedelta(hours=1)
    if DeletionUndoLink.objects.filter(user=user, created_at__gt=since).count() < WAYS_BACK_AN_HOUR:
        _mail_link(user, "account_way_back")


def undo_link_owner(secret: str) -> User | None:
    """Whose account a link would bring back; None for a used, old or unknown one. Changes nothing."""
    row = _link(secret)
    return row.user if row is not None and row.used_at is None and may_return(row.user) else None


def restore_account(*, secret: str, password: str, actor: Actor) -> User:
    """Open a closed account again, by a mailed link and the password. Every link back is used up by it.

    Raises LinkUsedUp, WrongCurrentPassword or LimitReached; a wrong password does not use up the link.
    """
    user = undo_link_owner(secret)
    if user is None:
        raise LinkUsedUp
    limits.before_password_question(user)
    if not password_opens(user, password, closed_too=True):
        record_security_event(kind="restore_refused", user=user, actor=actor)
        raise WrongCurrentPassword("That is not the password of this account. Please try again, or call us.")
    limits.after_password_question(user)
    with transaction.atomic():
        row = User.objects.select_for_update(no_key=True).filter(pk=user.pk, erase_after__gt=Now()).first()
        if row is None or not may_return(row):
            raise LinkUsedUp
        row.deleted_at = row.erase_after = row.deletion_asked_at = None
        row.save(update_fields=["deleted_at", "erase_after", "deletion_asked_at", "updated_at"])
        DeletionUndoLink.objects.filter(user=row, used_at=None).update(used_at=Now())
        record_security_event(kind="account_restored", user=row, actor=actor)
    return row


def _link(secret: str) -> DeletionUndoLink | None:
    return DeletionUndoLink.objects.select_related("user").filter(token=tokens.digest(secret)).first()


def _mail_link(user: User, template: str, **context: str) -> None:
    """A link of its own for each mail: the table keeps only digests, so an earlier one cannot be sent again."""
    assert user.erase_after is not None
    secret = tokens.new_secret()
    row = DeletionUndoLink.objects.create(user=user, token=tokens.digest(secret), expires_at=user.erase_after)
    mail_person(
        user,
        template,
        occasion=f"way_back:{row.pk}",
        context={
            **_greeting(user),
            **context,
            "erase_day": day_words(user.erase_after, zone_for(user)),
            "button_text": "Keep my account",
        },
        secrets={"button_url": tokens.link("accounts:delete_undo", secret)},
        expires_at=user.erase_after,
    )


def _greeting(user: User) -> dict[str, str]:
    """Until the address is proven, the name is the word of anyone who typed the address."""
    return {} if user.email_verified else {"first_name": "there"}
