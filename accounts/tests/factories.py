"""The least a person needs, for tests of this app and of those above it."""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import Any

from django.contrib.auth.hashers import make_password

from accounts.models import Role, User

PASSWORD = "correct horse battery staple"

_numbers = count(1)


@lru_cache(maxsize=16)
def _hashed(password: str) -> str:
    """Argon2 once per word and process: a suite makes thousands of people."""
    return make_password(password)


def make_user(*, password: str | None = PASSWORD, **fields: Any) -> User:
    """A verified customer with ``PASSWORD``. ``password=None`` gives one that opens nothing."""
    defaults: dict[str, Any] = {
        "email": f"person{next(_numbers)}@example.com",
        "name": "Margaret Ellis",
        "email_verified": True,
        "password": make_password(None) if password is None else _hashed(password),
    }
    return User.objects.create(**defaults | fields)


def make_admin(**fields: Any) -> User:
    """A member of staff with every right."""
    defaults: dict[str, Any] = {"name": "Rosa Diaz", "role": Role.ADMIN, "is_superuser": True}
    return make_user(**defaults | fields)
