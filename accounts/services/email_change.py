"""Another address for the same person: proven from the new one, undone from the old one."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts import limits, tokens
from accounts.backends import find
from accounts.exceptions import AddressTaken, LinkUsedUp, SameAddress
from accounts.models import EmailChange, User
from accounts.services.mails import act_words, mail_person, page, send
from accounts.services.passwords import send_reset_link
from accounts.services.people import check_present_password, end_sessions, kill_links, lock, same_address
from audit.actors import Actor
from audit.models import ChangeType
from audit.services import record_password_change, record_security_event
from emails.services import preferences, suppression

CONFIRM_LASTS = timedelta(hours=24)
UNDO_LASTS = timedelta(hours=72)


def request_email_change(*, user: User, email: str, password: str, actor: Actor) -> None:
    """Ask the new address for a yes and tell the old one. Nothing changes before that yes.

    An address that has an account gets a mail saying so, and the person asking cannot tell. Raises
    WrongCurrentPassword, SameAddress or LimitReached.
    """
    check_present_password(user, password)
    email = email.strip()
    if same_address(user.email, email):
        raise SameAddress
    limits.before_email_change(user)
    with transaction.atomic():
        user = lock(user.pk)
        _close_open_ones(user)
        secret, undo_secret = tokens.new_secret(), tokens.new_secret()
        now = timezone.now()
        row = EmailChange.objects.create(
            user=user,
            old_email=user.email,
            new_email=email,
            token=tokens.digest(secret),
            undo_token=tokens.digest(undo_secret),
            expires_at=now + CONFIRM_LASTS,
            undo_expires_at=now + UNDO_LASTS,
        )
        _ask_new_address(row, secret=secret)
        if user.email_verified:
            # An address that was never proven may be a stranger's, who must not get a way in.
            _tell_old_address(row, user=user, undo_secret=undo_secret, actor=actor)
        record_security_event(kind="email_change_requested", user=user, actor=actor)


def _close_open_ones(user: User) -> None:
    """The newest wish wins. Undo links of changes that were made live on."""
    EmailChange.objects.filter(user=user, confirmed_at=None, expires_at__gt=Now()).update(
        expires_at=Now(), updated_at=Now()
    )


def _ask_new_address(row: EmailChange, *, secret: str) -> None:
    owner = find(row.new_email)
    if owner is not None:
        send(
            template="email_change_taken",
            occasion=f"email_change:{row.pk}:taken",
            to=owner.email,
            context={"button_url": page("accounts:login"), "button_text": "Sign in"},
            expires_at=row.expires_at,
        )
        return
    send(
        template="email_change_confirm",
        occasion=f"email_change:{row.pk}:confirm",
        to=row.new_email,
        context={"button_text": "Use this address"},
        secrets={"button_url": tokens.link("accounts:email_change_confirm", secret)},
        expires_at=row.expires_at,
    )


def _tell_old_address(row: EmailChange, *, user: User, undo_secret: str, actor: Actor) -> None:
    mail_person(
        user,
        "email_change_notice",
        occasion=f"email_change:{row.pk}:notice",
        to=row.old_email,
        context={**act_words(user, actor), "new_email": row.new_email, "button_text": "Keep my old address"},
        secrets={"button_url": tokens.link("accounts:email_change_undo", undo_secret)},
        expires_at=row.undo_expires_at,
    )


def confirm_email_change(*, secret: str, actor: Actor) -> User:
    """The new address said yes: it is the person's from now on. Raises LinkUsedUp or AddressTaken."""
    row = EmailChange.objects.filter(token=tokens.digest(secret)).first()
    if row is None:
        raise LinkUsedUp
    try:
        with transaction.atomic():
            return _confirm(row, actor=actor)
    except IntegrityError:
        raise AddressTaken from None


def _confirm(row: EmailChange, *, actor: Actor) -> User:
    suppression.hold(row.old_email, row.new_email)  # before the person's row, as whoever stops an address does
    user = lock(row.user_id)
    used = EmailChange.objects.filter(pk=row.pk, confirmed_at=None, undone_at=None, expires_at__gt=Now()).update(
        confirmed_at=Now(), undo_expires_at=Now() + UNDO_LASTS, updated_at=Now()
    )
    if not used or not same_address(user.email, row.old_email):
        raise LinkUsedUp
    was_verified = user.email_verified
    user.email = row.new_email
    user.email_verified = True
    user.email_problem = suppression.problem(row.new_email)
    user.save(update_fields=["email", "email_verified", "email_problem", "updated_at"])
    preferences.move(old=row.old_email, new=row.new_email)
    kill_links(user)
    context = {
        "old_email": row.old_email,
        "new_email": row.new_email,
        "when_words": act_words(user, actor)["when_words"],
    }
    for which, address in (("new", row.new_email), ("old", row.old_email)):
        if which == "new" or was_verified:
            occasion = f"email_change:{row.pk}:changed:{which}"
            mail_person(user, "email_changed", occasion=occasion, to=address, context=context)
    record_security_event(kind="email_changed", user=user, actor=actor)
    return user


@transaction.atomic
def undo_email_change(*, secret: str, actor: Actor) -> User:
    """The old address says no. Before the yes of the new one the wish is dropped; after it, all goes back.

    Going back means that somebody else knew the password. So it opens nothing any more, every device is
    signed out, and the old address gets a link to choose a new one. Raises LinkUsedUp, or AddressTaken when
    another account has that address by now.
    """
    found = EmailChange.objects.filter(undo_token=tokens.digest(secret)).first()
    if found is None:
        raise LinkUsedUp
    # Every address that may be stopped or chosen for below; the present one may be of a later change.
    present = User.objects.filter(pk=found.user_id).values_list("email", flat=True).get()
    suppression.hold(found.old_email, found.new_email, present)
    user = lock(found.user_id)
    undone = EmailChange.objects.filter(pk=found.pk, undone_at=None, undo_expires_at__gt=Now()).update(
        undone_at=Now(), updated_at=Now()
    )
    if not undone:
        raise LinkUsedUp
    found.refresh_from_db(fields=["confirmed_at"])
    if found.confirmed_at is not None:
        _go_back(found, user=user, actor=actor)
    record_security_event(kind="email_change_undone", user=user, actor=actor)
    return user


def _go_back(row: EmailChange, *, user: User, actor: Actor) -> None:
    # Later wishes and changes were the stranger's: their links must not bring the address back to them.
    EmailChange.objects.filter(user=user, pk__gt=row.pk, undone_at=None).update(undone_at=Now(), updated_at=Now())
    left = user.email
    user.email = row.old_email
    user.email_verified = True
    user.email_problem = suppression.problem(row.old_email)
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save(update_fields=["email", "email_verified", "email_problem", "password", "updated_at"])
    except IntegrityError:
        raise AddressTaken from None
    preferences.move(old=left, new=row.old_email)
    end_sessions(user)
    kill_links(user)
    record_password_change(user=user, actor=actor, change_type=ChangeType.SELF_CHANGE)
    send_reset_link(user)
