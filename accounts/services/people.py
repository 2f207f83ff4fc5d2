"""Small steps that several services of this app share."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models.functions import Now

from accounts import limits
from accounts.backends import password_opens
from accounts.exceptions import LinkUsedUp, WeakPassword, WrongCurrentPassword
from accounts.hashers import usable
from accounts.models import EmailChange, EmailVerificationToken, PasswordResetToken, Session, User

_WORDS = {
    "password_too_short": "Your password is too short. Use 12 letters or more.",
    "password_too_common": "That password is easy to guess, because many people use it. Please choose another one.",
}


def lock(user_id: int) -> User:
    """The person's row, locked before any row of theirs. Raises LinkUsedUp for the deleted."""
    user = User.objects.select_for_update(no_key=True).present().filter(pk=user_id).first()
    if user is None:
        raise LinkUsedUp
    return user


def check_new_password(password: str, *, about: User) -> None:
    """Raises WeakPassword with what to do. ``about`` need not be stored yet."""
    if not usable(password):
        raise WeakPassword("That password is too long, or holds a sign we cannot keep. Please choose another one.")
    try:
        validate_password(password, about)
    except ValidationError as found:
        words = [_WORDS.get(str(error.code), " ".join(error.messages)) for error in found.error_list]
        raise WeakPassword(" ".join(words)) from None


def check_present_password(user: User, password: str) -> None:
    """Raises WrongCurrentPassword, or LimitReached after too many tries. Stands outside any transaction."""
    limits.before_password_question(user)
    if not password_opens(user, password):
        raise WrongCurrentPassword
    limits.after_password_question(user)


def same_address(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()


def end_sessions(user: User, *, but: str = "") -> int:
    """Sign ``user`` out everywhere, save on the device whose session row is ``but``."""
    ended, _ = Session.objects.filter(user=user).exclude(pk=but).delete()
    return ended


def kill_links(user: User) -> None:
    """Mailed links and codes that were made for the address or password before.

    An open change of address dies with them: whoever asked for it may have known only the old password. Its
    undo link lives on.
    """
    PasswordResetToken.objects.filter(user=user, used=False).delete()
    EmailVerificationToken.objects.filter(user=user, used_at=None).delete()
    EmailChange.objects.filter(user=user, confirmed_at=None, undone_at=None, expires_at__gt=Now()).update(
        expires_at=Now()
    )
