"""The environment, typed and strict: a missing or malformed variable stops the start and is named.

django-environ's ``bool("maybe")`` is False without a word, so a typo could pick the wrong database;
these readers refuse it instead.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off", ""}


def load_local(data_dir: Path) -> None:
    """Take the addresses of running embedded servers from ``data_dir``/env.json, where none are given.

    ``make run`` writes that file; it lets ``manage.py`` typed by hand reach the same database.
    """
    path = data_dir / "env.json"
    if path.is_file():
        for name, value in json.loads(path.read_text()).items():
            os.environ.setdefault(name, value)


def text(name: str, default: str | None = None) -> str:
    """The variable as text. Without a default it must be set and not empty."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"The environment variable {name} is missing. Set it and start again.")
    return default


def flag(name: str, default: bool = False) -> bool:
    """True for true/1/yes/on, False for false/0/no/off, ``default`` when unset; anything else stops the start."""
    raw = os.environ.get(name)
    if raw is None or not raw.strip():
        return default
    word = raw.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ImproperlyConfigured(f"The environment variable {name} is neither true nor false: {raw!r}.")


def integer(name: str, default: int, minimum: int = 0) -> int:
    """A whole number of at least ``minimum``."""
    raw = text(name, str(default))
    try:
        number = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"The environment variable {name} is not a whole number: {raw!r}.") from None
    if number < minimum:
        raise ImproperlyConfigured(f"The environment variable {name} must be {minimum} or more, not {number}.")
    return number


def words(name: str, default: str | None = None) -> list[str]:
    """A comma-separated list without empty parts."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def address(name: str, default: str | None = None, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """A URL with one of ``schemes``, without a trailing slash."""
    raw = text(name, default)
    parts = urlsplit(raw)
    if parts.scheme not in schemes or not (parts.netloc or parts.path):
        raise ImproperlyConfigured(
            f"The environment variable {name} is not an address that starts with {' or '.join(schemes)}."
        )
    return raw.rstrip("/")


def database() -> dict[str, Any]:
    """Django's settings of the one database.

    Order: DATABASE_URL; else DATABASE_URL_LOCAL when DB_HOST_LOCAL is true, DATABASE_URL_REMOTE when it is
    false or unset.
    """
    name = "DATABASE_URL"
    if not os.environ.get(name, "").strip():
        candidate = "DATABASE_URL_LOCAL" if flag("DB_HOST_LOCAL") else "DATABASE_URL_REMOTE"
        if os.environ.get(candidate, "").strip():
            name = candidate
    raw = text(name)
    try:
        config = environ.Env.db_url_config(raw) if raw.startswith(("postgres://", "postgresql://")) else {}
    except ValueError:
        config = {}
    if not config.get("NAME"):
        raise ImproperlyConfigured(f"The environment variable {name} is not a postgres:// address.")
    config["ENGINE"] = "django.db.backends.postgresql"
    options = config.setdefault("OPTIONS", {})
    _trust_system_roots(options)
    # Threads come back when the database hangs (engineering notes, reliability: frozen or slow).
    options.setdefault("connect_timeout", 3)
    return config


def _trust_system_roots(options: dict[str, Any]) -> None:
    """libpq's verify-* modes want a root file; psycopg's bundled OpenSSL finds none by itself."""
    if str(options.get("sslmode", "")).startswith("verify") and "sslrootcert" not in options:
        options["sslrootcert"] = "system"
        os.environ.setdefault("SSL_CERT_FILE", certifi.where())
