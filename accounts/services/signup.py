"""Signing up, and proving that the address is one's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import limits, tokens
from accounts.backends import find
from accounts.exceptions import CodeNotRight, LinkUsedUp
from accounts.models import EmailVerificationToken, Role, User
from accounts.services.deletion import mail_way_back, may_return
from accounts.services.mails import mail_person, page, send
from accounts.services.passwords import send_reset_link
from accounts.services.people import check_new_password, end_sessions, kill_links, lock, same_address
from audit.actors import Actor
from audit.models import ChangeType
from audit.services import record_password_change, record_security_event
from emails.services import suppression

LINK_LASTS = timedelta(hours=24)
CODE_LASTS = timedelta(hours=1)
CODE_TRIES = 5


@dataclass(frozen=True)
class Proven:
    """Whose address was proven, and whether by the browser that signed up, which may then be signed in.

    ``password_mailed``: nobody can tell whose password stands there, so a link to choose one was mailed.
    """

    user: User
    same_browser: bool
    password_mailed: bool = False


def sign_up(*, name: str, email: str, password: str, browser: str, actor: Actor, time_zone: str = "") -> None:
    """Make an account and mail its proof, or mail the owner of an account that exists. The caller cannot tell.

    ``browser`` is the secret of the visitor's cookie. A stranger who signs up with somebody's address
    changes nothing: the new password counts only once that very browser also shows the mailed link or code.
    Raises WeakPassword.
    """
    check_new_password(password, about=User(name=name, email=email))
    hashed = make_password(password)
    user = find(email)
    if user is None:
        try:
            with transaction.atomic():
                suppression.hold(email)  # a bounce at this moment waits, and then finds the person
                problem = suppression.problem(email)
                user = User.objects.create(
                    email=email, password=hashed, name=name, time_zone=time_zone, email_problem=problem
                )
                _mail_proof(user, browser=tokens.digest(browser))
                record_security_event(kind="signed_up", user=user, actor=actor)
            return
        except IntegrityError:
            # Another press of the same button was first.
            user = find(email)
            if user is None:
                raise
    _sign_up_again(user, browser=browser, hashed=hashed, actor=actor)


def _sign_up_again(user: User, *, browser: str, hashed: str, actor: Actor) -> None:
    hour = f"{timezone.now():%Y%m%d%H}"
    if user.is_active and not user.email_verified and not limits.may_mail_verification(user):
        return
    with transaction.atomic():
        if may_return(user):
            mail_way_back(user)
        elif not user.is_active:
            mail_person(user, "signup_closed", occasion=f"signup_closed:{hour}")
        elif user.email_verified:
            context = {"button_url": page("accounts:login"), "button_text": "Sign in"}
            mail_person(user, "signup_existing", occasion=f"signup_existing:{hour}", context=context)
        else:
            # Staff never get a password this way.
            taken_over = "" if user.role == Role.ADMIN else hashed
            _mail_proof(user, browser=tokens.digest(browser), new_password=taken_over)
        record_security_event(kind="signed_up_again", user=user, actor=actor)


def resend(*, email: str, browser: str, actor: Actor) -> None:
    """Mail the proof once more; the newest link and code win. Nothing for the verified and the unknown.

    Raises LimitReached, alike for known and unknown addresses.
    """
    user = find(email)
    limits.before_verification(email=email, user=user)
    if user is None or not user.is_active or user.email_verified:
        return
    with transaction.atomic():
        user = lock(user.pk)
        mine = EmailVerificationToken.objects.filter(user=user, browser=tokens.digest(browser)).order_by("-pk").first()
        _mail_proof(
            user,
            browser=mine.browser if mine else "",
            new_password=mine.new_password if mine else "",
        )
        record_security_event(kind="verification_sent_again", user=user, actor=actor)


def _mail_proof(user: User, *, browser: str, new_password: str = "") -> None:
    EmailVerificationToken.objects.filter(user=user, used_at=None).delete()
    secret, code = tokens.new_secret(), tokens.new_code()
    digest = tokens.digest(secret)
    now = timezone.now()
    row = EmailVerificationToken.objects.create(
        user=user,
        token=digest,
        email=user.email,
        expires_at=now + LINK_LASTS,
        code_hmac=tokens.code_mac(code, bound_to=digest),
        code_expires_at=now + CODE_LASTS,
        browser=browser,
        new_password=new_password,
    )
    # No name: until the address is proven, the name is the word of anyone who typed the address.
    send(
        template="verify_email",
        occasion=f"verification:{row.pk}",
        to=user.email,
        context={"button_text": "Confirm my address"},
        secrets={"button_url": tokens.link("accounts:verify", secret), "code": f"{code[:3]} {code[3:]}"},
        expires_at=row.expires_at,
    )


def verify_by_link(*, secret: str, browser: str, actor: Actor, keep: str = "") -> Proven:
    """Use a mailed link. ``keep`` is the session row of the device that shows it. Raises LinkUsedUp for a used, old or
    unknown one.
    """
    row = EmailVerificationToken.objects.filter(token=tokens.digest(secret)).first()
    if row is None:
        raise LinkUsedUp
    return _prove(row, browser=browser, actor=actor, keep=keep)


def verify_by_code(*, email: str, code: str, browser: str, actor: Actor, keep: str = "") -> Proven:
    """Use a mailed code. Raises CodeNotRight, alike for wrong, old, used up after five tries and unknown."""
    user = find(email)
    limits.before_verification(email=email, user=user)
    row = EmailVerificationToken.objects.filter(user=user, used_at=None).order_by("-pk").first() if user else None
    if row is None:
        raise CodeNotRight
    # Counted before it is looked at, and committed by itself: parallel guesses get five tries, not more.
    counted = EmailVerificationToken.objects.filter(
        pk=row.pk, used_at=None, code_attempts__lt=CODE_TRIES, code_expires_at__gt=Now()
    ).update(code_attempts=F("code_attempts") + 1)
    if not counted or not tokens.is_code(code, bound_to=row.token, kept=row.code_hmac):
        record_security_event(kind="verification_code_wrong", user=user, actor=actor)
        raise CodeNotRight
    try:
        return _prove(row, browser=browser, actor=actor, keep=keep)
    except LinkUsedUp:
        raise CodeNotRight from None


@transaction.atomic
def _prove(row: EmailVerificationToken, *, browser: str, actor: Actor, keep: str) -> Proven:
    """Under the person's lock; of two at once the conditional update lets one through.

    Whoever signed up first with somebody else's address is put out: their sessions end here, and where two
    have signed up and the mail is shown by neither browser, no password is trusted.
    """
    user = lock(row.user_id)
    used = EmailVerificationToken.objects.filter(pk=row.pk, used_at=None, expires_at__gt=Now()).update(used_at=Now())
    if not used or not same_address(user.email, row.email):
        raise LinkUsedUp
    same_browser = bool(row.browser) and constant_time_compare(tokens.digest(browser), row.browser)
    changed = ["email_verified", "updated_at"]
    user.email_verified = True
    if row.new_password:
        changed.append("password")
        if same_browser:
            user.password = row.new_password
        else:
            user.set_unusable_password()
    user.save(update_fields=changed)
    kill_links(user)
    end_sessions(user, but="" if row.new_password else keep)
    if row.new_password:
        record_password_change(user=user, actor=actor, change_type=ChangeType.SELF_CHANGE)
        if not same_browser:
            send_reset_link(user)
    record_security_event(kind="address_verified", user=user, actor=actor)
    return Proven(
        user=user,
        same_browser=same_browser and user.role != Role.ADMIN,
        password_mailed=bool(row.new_password) and not same_browser,
    )
