"""Changing a password, knowing the present one or holding a mailed link."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import limits, tokens
from accounts.backends import find
from accounts.exceptions import LinkUsedUp
from accounts.models import PasswordResetToken, User
from accounts.services.deletion import mail_way_back, may_return
from accounts.services.mails import act_words, mail_person, page, send
from accounts.services.people import (
    check_new_password,
    check_present_password,
    end_sessions,
    kill_links,
    lock,
)
from audit.actors import Actor
from audit.models import ChangeType
from audit.services import record_password_change, record_security_event
from emails.models import Priority
from techdeputies.lib.exceptions import DomainError

RESET_LASTS = timedelta(hours=1)


def request_reset(*, email: str, actor: Actor) -> None:
    """Mail a link to the owner of ``email``, or the news that there is no account. The caller cannot tell.

    For an account closed a short while ago the link leads back into it.

    The mail goes to the address that is stored, never to a look-alike that was typed. Raises LimitReached,
    alike for known and unknown addresses.
    """
    user = find(email)
    limits.before_reset(email=email, user=user, actor=actor)
    if not limits.may_mail_reset(email=email, user=user):
        return
    with transaction.atomic():
        if user is not None and user.is_active:
            send_reset_link(user)
            record_security_event(kind="reset_requested", user=user, actor=actor)
        elif user is not None and may_return(user):
            mail_way_back(user)
            record_security_event(kind="reset_requested", user=user, actor=actor)
        else:
            _mail_unknown(email, user)


def send_reset_link(user: User) -> None:
    """Mail ``user`` a link for one hour and one use; links before it die. In the caller's transaction."""
    PasswordResetToken.objects.filter(user=user, used=False).delete()
    secret = tokens.new_secret()
    row = PasswordResetToken.objects.create(
        user=user,
        token=tokens.digest(secret),
        expires_at=timezone.now() + RESET_LASTS,
        bound_to=tokens.state_of(user.password, user.email),
    )
    send(
        template="password_reset",
        occasion=f"reset:{row.pk}",
        to=user.email,
        name=user.name or "",
        context={"first_name": user.first_name_words, "button_text": "Choose a new password"},
        secrets={"button_url": tokens.link("accounts:password_reset_confirm", secret)},
        priority=Priority.CRITICAL,
        expires_at=row.expires_at,
    )


def _mail_unknown(email: str, deleted: User | None) -> None:
    """Tell whoever reads that mailbox that no account has it: once a day at most."""
    day = f"{timezone.now():%Y%m%d}"
    send(
        template="password_reset_unknown",
        occasion=f"reset_unknown:{limits.account_subject(email, deleted)}:{day}",
        to=deleted.email if deleted else email,
        context={"button_url": page("accounts:signup"), "button_text": "Make an account"},
        priority=Priority.CRITICAL,
        expires_at=timezone.now() + RESET_LASTS,
    )


def reset_link_owner(secret: str) -> User | None:
    """Whose new password a link would set; None for a used, old, outdated or unknown one. Changes nothing."""
    row = PasswordResetToken.objects.select_related("user").filter(token=tokens.digest(secret)).first()
    if row is None or row.used or row.expires_at <= timezone.now() or not row.user.is_active:
        return None
    return row.user if _still_fits(row, row.user) else None


def reset_password(*, secret: str, password: str, actor: Actor) -> User:
    """Set the new password by a mailed link, end every session and tell the owner.

    Of any number of parallel uses one succeeds. The link proves the address, too. Raises LinkUsedUp or
    WeakPassword; a weak password does not use up the link. Every refusal is written down.
    """
    row = PasswordResetToken.objects.select_related("user").filter(token=tokens.digest(secret)).first()
    if row is None:
        raise LinkUsedUp
    try:
        check_new_password(password, about=row.user)
        return _reset(row, password=password, actor=actor)
    except DomainError as refusal:
        _record_refusal(row.user, actor=actor, change_type=ChangeType.SELF_CHANGE, refusal=refusal)
        raise


@transaction.atomic
def _reset(row: PasswordResetToken, *, password: str, actor: Actor) -> User:
    user = lock(row.user_id)
    used = PasswordResetToken.objects.filter(pk=row.pk, used=False, expires_at__gt=Now()).update(used=True)
    if not used or not _still_fits(row, user):
        raise LinkUsedUp
    change_type = ChangeType.ADMIN_FORCE_CHANGE if user.must_change_password else ChangeType.SELF_CHANGE
    user.set_password(password)
    user.email_verified = True
    user.must_change_password = False
    user.save(update_fields=["password", "email_verified", "must_change_password", "updated_at"])
    end_sessions(user)
    _after_change(user, actor=actor, change_type=change_type)
    return user


def change_password(*, user: User, current: str, password: str, actor: Actor, keep: str) -> None:
    """Change one's own password, knowing the present one. Signs out every device but the row ``keep``.

    Raises WrongCurrentPassword, WeakPassword or LimitReached; every refusal is written down. Changes the
    given ``user`` too, so that the view can renew its session.
    """
    forced = user.must_change_password
    change_type = ChangeType.ADMIN_FORCE_CHANGE if forced else ChangeType.SELF_CHANGE
    try:
        check_present_password(user, current)
        check_new_password(password, about=user)
        _change(user, password=password, actor=actor, change_type=change_type, keep=keep)
    except DomainError as refusal:
        _record_refusal(user, actor=actor, change_type=change_type, refusal=refusal)
        raise


@transaction.atomic
def _change(user: User, *, password: str, actor: Actor, change_type: ChangeType, keep: str) -> None:
    lock(user.pk)
    user.set_password(password)
    user.must_change_password = False
    user.save(update_fields=["password", "must_change_password", "updated_at"])
    end_sessions(user, but=keep)
    _after_change(user, actor=actor, change_type=change_type)


def _after_change(user: User, *, actor: Actor, change_type: ChangeType) -> None:
    kill_links(user)
    audit = record_password_change(user=user, actor=actor, change_type=change_type)
    context = {
        **act_words(user, actor),
        "button_url": page("accounts:password_reset"),
        "button_text": "This was not me",
    }
    mail_person(user, "password_changed", occasion=f"password_changed:{audit.pk}", context=context)


def _still_fits(row: PasswordResetToken, user: User) -> bool:
    """The link dies when the password or the address has changed since it was mailed."""
    return constant_time_compare(row.bound_to, tokens.state_of(user.password, user.email))


def _record_refusal(user: User, *, actor: Actor, change_type: ChangeType, refusal: DomainError) -> None:
    """After the rollback, else the row would go with it."""
    record_password_change(
        user=user, actor=actor, change_type=change_type, success=False, error_message=type(refusal).__name__
    )
