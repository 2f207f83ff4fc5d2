"""How often one may try: the exact counts of ``rate_limits``, by account and by network.

Called outside transactions, since a count must outlive a refusal. Unknown addresses are counted like known
ones, so the answers tell nothing.
"""

from __future__ import annotations

from django.utils.crypto import salted_hmac

from accounts.models import User
from audit.actors import Actor
from audit.services import record_security_event
from settings_app.exceptions import LimitReached
from settings_app.models import RateLimit
from settings_app.services import Hit, hit_known_limit, hit_limit, value

HOUR = 3600
DAY = 24 * HOUR

LOGIN = "limit_login_per_account"
# After the setting's number of tries in 15 minutes the wait grows: twice as many in an hour, four times in a day.
LOGIN_LADDER = (("login_hour", 2, HOUR), ("login_day", 4, DAY))
PASSWORD_ASKED = "password_asked"
ALARM_AT = 300
"""Wrong passwords in an hour, over the whole site, from which on staff should look."""


def account_subject(email: str, user: User | None) -> str:
    """Whom a count belongs to: the person, or a keyed digest of an address nobody has."""
    if user is not None:
        return f"user:{user.pk}"
    folded = email.strip().lower().encode(errors="replace")
    return f"email:{salted_hmac('accounts.limits', folded, algorithm='sha256').hexdigest()[:12]}"


def before_login(*, email: str, user: User | None, actor: Actor, device: str) -> str:
    """Count one try at a password and return whom it counts for. Raises LimitReached.

    Tries count per account and network, so a stranger elsewhere cannot lock the owner out; from a device the
    owner has signed in on they count for that device, so neither can a stranger in the same network.
    """
    subject = f"{account_subject(email, user)} {device or actor.ip_address or 'unknown'}"
    _refuse(hit_known_limit(LOGIN, subject=subject))
    for endpoint, factor, window in LOGIN_LADDER:
        limit = value(LOGIN) * factor
        _refuse(hit_limit(endpoint=endpoint, subject=subject, limit=limit, window_seconds=window))
    return subject


def after_login(subject: str) -> None:
    """The right password: earlier slips are forgotten."""
    endpoints = [LOGIN, *(endpoint for endpoint, _, _ in LOGIN_LADDER)]
    RateLimit.objects.filter(endpoint__in=endpoints, ip_address=subject[:64]).delete()


def after_wrong_login() -> None:
    """Guessing spread over many accounts and networks shows only in the sum: note it once an hour."""
    total = hit_limit(endpoint="login_wrong_everywhere", subject="site", limit=ALARM_AT, window_seconds=HOUR)
    if not total.allowed:
        first = hit_limit(endpoint="login_alarm", subject="site", limit=1, window_seconds=HOUR)
        if first.allowed:
            record_security_event(kind="many_wrong_passwords", actor=Actor.system(), details={"an_hour": ALARM_AT})


def before_password_question(user: User) -> None:
    """A signed-in person is asked for the password again: five wrong ones in 15 minutes. Raises LimitReached."""
    _refuse(hit_limit(endpoint=PASSWORD_ASKED, subject=f"user:{user.pk}", limit=5, window_seconds=15 * 60))


def after_password_question(user: User) -> None:
    RateLimit.objects.filter(endpoint=PASSWORD_ASKED, ip_address=f"user:{user.pk}").delete()


def before_verification(*, email: str, user: User | None) -> None:
    """A code typed or a verification mail asked for: so many a day for one account. Raises LimitReached."""
    _refuse(hit_known_limit("limit_verify_per_account", subject=account_subject(email, user)))


def may_mail_verification(user: User) -> bool:
    """The same count, for signing up again with an address that waits for its proof."""
    return hit_known_limit("limit_verify_per_account", subject=account_subject(user.email, user)).allowed


def before_reset(*, email: str, user: User | None, actor: Actor) -> None:
    """Reset links asked for one account by one network. Raises LimitReached."""
    subject = f"{account_subject(email, user)} {actor.ip_address or 'unknown'}"
    _refuse(hit_known_limit("limit_reset_per_account", subject=subject))


def may_mail_reset(*, email: str, user: User | None) -> bool:
    """By all networks together: beyond it nobody is refused, but a mailbox is not flooded."""
    limit = 2 * value("limit_reset_per_account")
    subject = account_subject(email, user)
    return hit_limit(endpoint="reset_mails", subject=subject, limit=limit, window_seconds=HOUR).allowed


def before_email_change(user: User) -> None:
    """Mails to addresses a signed-in person names: ten a day. Raises LimitReached."""
    _refuse(hit_limit(endpoint="email_change", subject=f"user:{user.pk}", limit=10, window_seconds=DAY))


def _refuse(hit: Hit) -> None:
    if not hit.allowed:
        raise LimitReached(hit.retry_after_seconds)
