"""Coming in and going out."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from accounts import limits
from accounts.backends import find, password_opens
from accounts.exceptions import WrongPassword
from accounts.models import User
from audit.actors import Actor
from audit.services import record_security_event

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Device:
    """A device by its signed cookie: its id, and the keys of the people who have signed in on it."""

    id: str = ""
    people: tuple[int, ...] = ()

    def id_for(self, user: User | None) -> str:
        """Its id when this very person is known on it, else nothing."""
        return self.id if user is not None and user.pk in self.people else ""


NO_DEVICE = Device()


def log_in(*, email: str, password: str, actor: Actor, device: Device = NO_DEVICE) -> User:
    """The person whose address and password these are.

    Raises WrongPassword, the same after the same time for unknown, deleted and wrong; LimitReached after too
    many tries, counted apart for a device this very person is known on. Not one transaction, as a count must
    outlive the refusal.
    """
    user = find(email)
    subject = limits.before_login(email=email, user=user, actor=actor, device=device.id_for(user))
    if not password_opens(user, password):
        limits.after_wrong_login()
        if user is None:
            logger.info("sign_in_failed_unknown")
        else:
            record_security_event(kind="sign_in_failed", user=user, actor=actor)
        raise WrongPassword
    assert user is not None
    limits.after_login(subject)
    record_security_event(kind="signed_in", user=user, actor=actor)
    return user


def note_log_out(*, user: User, actor: Actor) -> None:
    """The session itself is ended by the view, which holds the cookie."""
    record_security_event(kind="signed_out", user=user, actor=actor)
