"""Secrets for mails: the raw value goes to the mail, its digest to the table."""

from __future__ import annotations

import hashlib
import secrets
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

CODE_DIGITS = 6


def new_secret() -> str:
    """256 random bits, fit for an address."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What a table keeps of a secret: with 256 bits behind it, no salt is needed."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def new_code() -> str:
    """Six digits to type from a mail."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def code_mac(code: str, *, bound_to: str, key: str | None = None) -> str:
    """What a table keeps of a code: keyed by the server, as the digest of six digits is undone in a second."""
    content = f"{bound_to}:{code}".encode(errors="replace")
    return salted_hmac("accounts.tokens.code", content, secret=key, algorithm="sha256").hexdigest()


def is_code(code: str, *, bound_to: str, kept: str) -> bool:
    """Compared in constant time, under the present key and those before it."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(code_mac(code, bound_to=bound_to, key=key), kept) for key in keys)


def state_of(password: str, email: str) -> str:
    """A digest that changes with the password or the address, so a link can die with either."""
    return hashlib.sha256(f"{password}\n{email.lower()}".encode()).hexdigest()


def link(name: str, secret: str) -> str:
    """The address a mail carries. Its host comes from the settings, never from a request."""
    return f"{settings.SITE_URL}{reverse(name)}?{urlencode({'token': secret})}"
