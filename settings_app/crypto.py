"""Secrets at rest, under keys from the environment.

``SETTINGS_KEYS`` lists Fernet keys: the first writes, all of them read, so a key is rotated by putting a
new one in front and running ``rotate_settings_keys``. The purpose is sealed inside, so a value moved to
another row or column does not open there.
"""

from __future__ import annotations

import json
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from settings_app.exceptions import CannotDecrypt


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def keyring() -> MultiFernet:
    """The keys of this process. Raises ValueError for a key that is not 32 bytes in base64."""
    return _fernet(tuple(settings.SETTINGS_KEYS))


def encrypt(text: str, *, purpose: str) -> str:
    """``text`` sealed for ``purpose``, as ASCII."""
    sealed = json.dumps([purpose, text]).encode()
    return keyring().encrypt(sealed).decode()


def decrypt(token: str, *, purpose: str) -> str:
    """What ``encrypt`` was given. Raises CannotDecrypt for a wrong key, purpose or text."""
    try:
        found, text = json.loads(keyring().decrypt(token.encode()))
    except (InvalidToken, ValueError, TypeError):
        raise CannotDecrypt from None
    if found != purpose:
        raise CannotDecrypt
    return str(text)


def rotate(token: str) -> str:
    """The same secret under the first key. Raises CannotDecrypt when no key opens it."""
    try:
        return keyring().rotate(token.encode()).decode()
    except InvalidToken:
        raise CannotDecrypt from None
