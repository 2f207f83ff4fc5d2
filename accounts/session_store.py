"""Sessions as rows of our own table, so that a person can list their devices and end one.

The row's id is the SHA-256 of the cookie: a stolen table opens nothing. Signed-out visitors never write a
row; what they need remembered lives in signed cookies (``signed_cookies.py``). Measured cheaper than a
cached store, and a flushed cache signs nobody out (performance notes, §3).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions import middleware
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, connection, router, transaction
from django.db.models import F
from django.db.models.functions import Least, Now
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from accounts.models import Role, Session, User
from techdeputies.lib.http import client_ip

USER_AGENT_MAX_LENGTH = 500


@dataclass(frozen=True)
class Lifetime:
    """How long a session lasts unused, how long in all, and how often being seen is written down."""

    idle: timedelta
    absolute: timedelta
    seen_every: timedelta


LIFETIMES = {
    Role.USER: Lifetime(timedelta(days=14), timedelta(days=30), timedelta(minutes=5)),
    Role.ADMIN: Lifetime(timedelta(minutes=30), timedelta(hours=12), timedelta(minutes=2)),
}
_ROLE = "_role"

# Every signed-in page asks it, and to build it from a QuerySet costs thrice what it costs to run.
_LIVE = """
SELECT user_id, session_data, created_at, last_seen_at FROM sessions WHERE id = %s AND expires_at > STATEMENT_TIMESTAMP()
"""


def row_id(session_key: str) -> str:
    """The primary key of a cookie's row."""
    return hashlib.sha256(session_key.encode(errors="surrogatepass")).hexdigest()


class SessionStore(SessionBase):
    """Django's session over ``accounts.Session``. One SELECT to read; to write only when something changed."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._is_new = False
        self._created_at: datetime | None = None
        self._last_seen_at: datetime | None = None
        self._ip_address = ""
        self._user_agent = ""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def seen_from(self, ip_address: str, user_agent: str) -> Self:
        """Where the request comes from, for the person's list of devices."""
        self._ip_address = ip_address[:64]
        self._user_agent = user_agent.replace("\x00", "")[:USER_AGENT_MAX_LENGTH]
        return self

    @property
    def is_signed_in(self) -> bool:
        return SESSION_KEY in self

    @property
    def row_id(self) -> str:
        """Which row of the table this is; empty while there is none."""
        return row_id(self.session_key) if self.session_key else ""

    @property
    def lifetime(self) -> Lifetime:
        return LIFETIMES[Role(self.get(_ROLE, Role.USER))]

    # --- Reading ------------------------------------------------------------------------------------

    def load(self) -> dict[str, Any]:
        with connection.cursor() as cursor:
            cursor.execute(_LIVE, [self.row_id])
            row = cursor.fetchone()
        user_id, content, created_at, last_seen_at = row or (None, "", None, None)
        data = self.decode(content) if row is not None else {}
        # A key that opens no row is forgotten, so a planted one is never taken up.
        if row is None or str(data.get(SESSION_KEY)) != str(user_id):
            self._session_key = None
            return {}
        self._created_at = created_at
        self._last_seen_at = last_seen_at
        return data

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(pk=row_id(session_key)).exists()

    def _get_new_session_key(self) -> str:
        """256 random bits: no need to ask whether another has them."""
        return secrets.token_urlsafe(32)

    # --- Writing ------------------------------------------------------------------------------------

    def create(self) -> None:
        """A fresh key. Its row is written by ``save``, once somebody has signed in under it."""
        self._session_key = self._get_new_session_key()
        self._is_new = True
        self.modified = True

    def cycle_key(self) -> None:
        """The same content and age under a new key; the old key opens nothing from now on."""
        data = dict(self.items())
        old_key = self.session_key
        self.create()
        self._session_cache = data
        if old_key:
            self.delete(old_key)

    def flush(self) -> None:
        super().flush()
        self._is_new = False
        self._created_at = None

    def save(self, must_create: bool = False) -> None:
        """Write the row; a signed-out visitor has none. Raises UpdateError when it was ended meanwhile."""
        if not self.is_signed_in:
            self._need_key()
            return
        if must_create or self._is_new or self.session_key is None:
            self._insert(must_create=must_create)
            return
        changed = Session.objects.filter(pk=self.row_id).update(
            session_data=self.encode(dict(self.items())), **self._seen_now()
        )
        if not changed:
            raise UpdateError

    def _need_key(self) -> None:
        if self.session_key is None:
            self._session_key = self._get_new_session_key()

    def _insert(self, *, must_create: bool) -> None:
        self._need_key()
        user_id = self[SESSION_KEY]
        role = User.objects.filter(pk=user_id).values_list("role", flat=True).first()
        if role is None:
            raise UpdateError
        self[_ROLE] = role
        started = self._created_at or timezone.now()
        try:
            with transaction.atomic(using=router.db_for_write(Session)):
                Session.objects.create(
                    id=self.row_id,
                    user_id=user_id,
                    session_data=self.encode(dict(self.items())),
                    created_at=started,
                    last_seen_at=Now(),
                    expires_at=Least(Now() + self.lifetime.idle, started + self.lifetime.absolute),
                    ip_address=self._ip_address,
                    user_agent=self._user_agent,
                )
        except IntegrityError:
            if must_create:
                raise CreateError from None
            raise
        self._is_new = False
        self._created_at = started
        self._last_seen_at = timezone.now()

    def touch(self) -> None:
        """Write down that the device was seen, at most once in ``seen_every``, and push the end back."""
        last = self._last_seen_at
        if last is None or self._is_new or timezone.now() - last < self.lifetime.seen_every:
            return
        Session.objects.filter(pk=self.row_id, last_seen_at__lte=last).update(**self._seen_now())

    def _seen_now(self) -> dict[str, Any]:
        """``created_at`` is never among the columns, so saving cannot lose it."""
        seen: dict[str, Any] = {
            "last_seen_at": Now(),
            "expires_at": Least(Now() + self.lifetime.idle, F("created_at") + self.lifetime.absolute),
        }
        if self._ip_address:
            seen["ip_address"] = self._ip_address
        return seen

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            Session.objects.filter(pk=row_id(key)).delete()

    @classmethod
    def clear_expired(cls) -> None:
        Session.objects.filter(expires_at__lte=Now()).delete()

    def seconds_left(self) -> int:
        """For how long the cookie is worth keeping: to the end of the absolute lifetime."""
        age = timezone.now() - self._created_at if self._created_at else timedelta()
        return max(int((self.lifetime.absolute - age).total_seconds()), 0)


class SessionMiddleware(middleware.SessionMiddleware):
    """Give each request its session, and write back what changed.

    Differs from Django's: the signed-out get neither row nor cookie, and a session that was ended while its
    request ran is answered as signed out instead of with an error.
    """

    def process_request(self, request: HttpRequest) -> None:
        session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        request.session = session.seen_from(client_ip(request), request.META.get("HTTP_USER_AGENT", ""))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        session = getattr(request, "session", None)
        if session is None or not session.accessed:
            return response
        patch_vary_headers(response, ("Cookie",))
        if not session.is_signed_in:
            self._forget(request, response)
        elif session.modified:
            # A failed page changes nobody's session.
            if response.status_code < 500:
                self._save(request, response, session)
        else:
            session.touch()
        return response

    def _save(self, request: HttpRequest, response: HttpResponse, session: SessionStore) -> None:
        try:
            session.save()
        except UpdateError:
            self._forget(request, response)
            return
        response.set_cookie(
            settings.SESSION_COOKIE_NAME,
            session.session_key or "",
            max_age=session.seconds_left(),
            domain=settings.SESSION_COOKIE_DOMAIN,
            path=settings.SESSION_COOKIE_PATH,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=settings.SESSION_COOKIE_HTTPONLY,
            samesite="Lax",
        )

    @staticmethod
    def _forget(request: HttpRequest, response: HttpResponse) -> None:
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            response.delete_cookie(
                settings.SESSION_COOKIE_NAME,
                path=settings.SESSION_COOKIE_PATH,
                domain=settings.SESSION_COOKIE_DOMAIN,
                samesite="Lax",
            )
