"""The devices a person is signed in on."""

from __future__ import annotations

from django.db import transaction

from accounts import tokens
from accounts.models import EmailVerificationToken, Session, User
from accounts.services.login import Device
from accounts.services.mails import act_words, mail_person, page
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


def tell_of_new_device(*, user: User, device: Device, session_row: str, actor: Actor, browser: str = "") -> None:
    """Mail the owner that somebody has just signed in on a device the account has not been used on before.

    Once for ``session_row``, an id that never comes twice. ``browser`` is the secret of a sign-up begun on this
    device: whoever has just made the account on it need not be told. An unproven address gets nothing: it may
    be a stranger's, and would be flooded. No statement for a known device, one INSERT for another.
    """
    if device.id_for(user) or not user.email_verified or _has_signed_up_here(user, browser):
        return
    mail_person(
        user,
        "new_device",
        occasion=f"new_device:{session_row}",
        context={
            **act_words(user, actor),
            "network": actor.ip_address or "",
            "button_url": page("accounts:session_list"),
            "button_text": "Look at my devices",
            "password_url": page("accounts:password_change"),
        },
    )


def _has_signed_up_here(user: User, browser: str) -> bool:
    """Asked of the proof that was used, since anyone may begin a sign-up with somebody else's address."""
    if not browser:
        return False
    proofs = EmailVerificationToken.objects.filter(user=user, browser=tokens.digest(browser))
    return proofs.exclude(used_at=None).exists()
