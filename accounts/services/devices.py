"""The devices a person is signed in on."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Session, User
from accounts.services.people import end_sessions
from audit.actors import Actor
from audit.services import record_security_event


@transaction.atomic
def end_session(*, session: Session, actor: Actor) -> None:
    """Sign one device out; its next request finds nobody. Ending an ended one changes nothing."""
    ended, _ = Session.objects.filter(pk=session.pk).delete()
    if ended:
        record_security_event(kind="device_signed_out", user=session.user, actor=actor)


@transaction.atomic
def end_all_sessions(*, user: User, actor: Actor, but: str = "") -> int:
    """Sign every device out, save the session row ``but``. Returns how many."""
    ended = end_sessions(user, but=but)
    record_security_event(kind="all_devices_signed_out", user=user, actor=actor, details={"count": ended})
    return ended
