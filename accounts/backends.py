"""Who is at the door: address and password, answered in the same time whoever it is."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models import IntegerField, Max
from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from accounts.hashers import check_level, usable
from accounts.models import User
from techdeputies.lib import rows

_PRESENT = f"SELECT {rows.columns(User, 'u')} FROM users u WHERE u.id = %s AND u.deleted_at IS NULL"

OLD_COST_KNOWN_FOR_SECONDS = 300
_old_cost: tuple[float, int] | None = None


def find(email: str) -> User | None:
    """The account of that address, deleted ones too. Any text may be asked for."""
    if "\x00" in email or len(email) > 254:
        return None
    try:
        email.encode()
    except UnicodeEncodeError:
        return None
    return User.objects.with_email(email).first()


def password_opens(user: User | None, password: str, *, closed_too: bool = False) -> bool:
    """Is it this person's password? Nobody and the deleted are refused after the same work.

    ``closed_too`` is for the way back into a deleted account. A right password under an old hash is kept as Argon2 from then on.
    """
    if not usable(password):
        check_level("-", "", old_cost=highest_old_cost())
        return False
    stored = user.password if user is not None and (user.is_active or closed_too) else ""
    right, must_update = check_level(password, stored, old_cost=highest_old_cost())
    if user is None or not right:
        return False
    if must_update:
        _hash_anew(user, password)
    return True


def _hash_anew(user: User, password: str) -> None:
    """Only while the row still holds the old hash: a change made meanwhile stays."""
    fresh = make_password(password)
    if User.objects.filter(pk=user.pk, password=user.password).update(password=fresh):
        user.password = fresh


def highest_old_cost() -> int:
    """The work factor of the dearest hash left from the old site, 0 once all are gone. Asked every 5 minutes."""
    global _old_cost
    if _old_cost is None or time.monotonic() - _old_cost[0] > OLD_COST_KNOWN_FOR_SECONDS:
        cost = RawSQL(r"substring(password_hash from '^bcrypt\$\$2[a-z]?\$(\d\d)\$')::int", (), IntegerField())
        found = User.objects.present().with_old_hash().aggregate(highest=Max(cost))["highest"]
        _old_cost = (time.monotonic(), found or 0)
    return _old_cost[1]


class EmailBackend(ModelBackend):
    """Django's permissions; people are found by address, and the deleted are nobody."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> User | None:
        email = username or credentials.get("email")
        if email is None or password is None:
            return None
        user = find(email)
        return user if password_opens(user, password) else None

    def get_user(self, user_id: int) -> User | None:
        """The person of a session, asked for by every signed-in page: SQL of our own costs a third of a QuerySet."""
        with connection.cursor() as cursor:
            cursor.execute(_PRESENT, [user_id])
            row = cursor.fetchone()
        return rows.instance(User, row) if row is not None else None
