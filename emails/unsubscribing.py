"""Links that stop one kind of mail without a log-in, and the headers of RFC 8058 that mail programs press.

The token names the address and the choice under an HMAC of 256 bits with a salt of its own. It needs no row,
survives a change of SECRET_KEY through the fallbacks, and does not expire: an old mail must still be stoppable.
"""

from __future__ import annotations

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from emails.models import Choice

SALT = "emails.unsubscribing"
TOKEN_MAX_LENGTH = 1_000


def link(email: str, choice: str) -> str:
    """The full address of the page that stops mail of this choice to ``email``."""
    return f"{settings.SITE_URL}{reverse('emails:unsubscribe', args=[make_token(email, choice)])}"


def headers(email: str, choice: str) -> dict[str, str]:
    """What a mail of this choice carries, so that the mail program can offer one press."""
    return {
        "List-Unsubscribe": f"<{link(email, choice)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def make_token(email: str, choice: str) -> str:
    return Signer(salt=SALT).sign_object({"to": email.strip().lower(), "choice": Choice(choice).value})


def read_token(token: str) -> tuple[str, Choice] | None:
    """Address and choice of a token we made; None for anything else."""
    if len(token) > TOKEN_MAX_LENGTH:
        return None
    try:
        found = Signer(salt=SALT).unsign_object(token)
        return str(found["to"]), Choice(found["choice"])
    except (BadSignature, ValueError, KeyError, TypeError):
        return None
