"""Logs: one JSON object a line, with what must never be in a log taken out.

Everything, our own lines and those of Django, Celery and the rest, passes ``redact`` last, after tracebacks
have become text; so neither a forgotten argument nor a database error that quotes a row can leak. JSON
escapes line ends, so nothing a person types can forge a line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import structlog
from django.http import HttpRequest

from techdeputies.lib.http import client_ip

HIDDEN = "[hidden]"

# A field of such a name is hidden whole, whatever it holds.
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)|secret|token|cookie|authori[sz]ation|api_?key|signature|csrf|session_?(id|key|data)"
    r"|^(key|code|otp|card|phone|address|name|message|body|topic)$|_code$|_key$|_phone$",
    re.IGNORECASE,
)
# Names of ours that look like the above but hold nothing secret; ``code`` of a number is an HTTP status.
_PLAIN_NAME = frozenset({"request_id", "correlation_id", "task_id", "endpoint", "kind", "logger", "level", "timestamp"})

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # What follows the words of a mailed link: verification, reset, undo, unsubscribe and whatever joins them.
    (
        re.compile(
            r"(/(?:verify|reset|confirm|undo|change|restore|unsubscribe|feed|invitation|certificate)/)"
            r"(?!(?:send|done|sent|confirm|change)\b)[^\s/?#\"'<>]{6,}"
        ),
        rf"\1{HIDDEN}",
    ),
    # Values of a query string; their names stay. Long ones and short ones alike: codes have six digits.
    (re.compile(r"([?&][A-Za-z0-9_.\[\]-]{1,60}=)[^&\s\"'<>#]+"), rf"\1{HIDDEN}"),
    # The database quotes the row that broke a rule.
    (re.compile(r"(Key \([^)]*\)=\()[^)]*(\))"), rf"\1{HIDDEN}\2"),
    (re.compile(r"(Failing row contains \()[^\n]*(\))"), rf"\1{HIDDEN}\2"),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9+/._~=-]{8,}"), rf"\1{HIDDEN}"),
    # name=value and "name": "value" pairs inside a text.
    (
        re.compile(
            r"(?i)(\b(?:password|passwd|secret|token|api[_-]?key|authorization|cookie|sessionid|csrf\w*|code)\b"
            r"[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&}]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"://[^/\s:@\"']+:[^/\s@\"']+@"), f"://{HIDDEN}@"),
    (re.compile(r"\b(?:argon2\w*|bcrypt\w*|pbkdf2\w*)\$[^\s\"']+"), HIDDEN),
    (re.compile(r"\b(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{8,}"), HIDDEN),
    (re.compile(r"\b[A-HJ-NP-Z2-9]{4}(?:-[A-HJ-NP-Z2-9]{4}){3}\b"), HIDDEN),
    (re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w.-])"), HIDDEN),
    # Random text of our own making: urlsafe tokens, hex digests, Fernet. Ids of rows are 24 or 25 long.
    (
        re.compile(r"(?<![A-Za-z0-9_\-/.])(?=[A-Za-z0-9_-]*\d)(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9_-]{30,}={0,2}"),
        HIDDEN,
    ),
    (re.compile(r"(?<=/)(?=[A-Za-z0-9_-]*\d)(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9_-]{30,}(?![A-Za-z0-9_.-])"), HIDDEN),
    # An address: its first letter and its domain are enough to follow a case.
    (re.compile(r"([^\s@\"'<>(),:;=\[\]]?)[^\s@\"'<>(),:;=\[\]]*(?:@|%40)([A-Za-z0-9.-]+\.[A-Za-z]{2,})"), r"\1***@\2"),
)


def clean(text: str) -> str:
    """``text`` without secrets, codes and full mail addresses."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def scrub(value: Any, name: str = "") -> Any:
    """``value`` fit for a log: texts cleaned, fields of secret names hidden, containers walked through."""
    if name and name not in _PLAIN_NAME and value is not None and _SECRET_NAME.search(name):
        return value if isinstance(value, bool | int | float) else HIDDEN
    if name in _PLAIN_NAME and isinstance(value, str):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {str(key): scrub(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [scrub(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean(str(value))


def redact(_logger: Any, _method: str, event: Any) -> Any:
    """The last structlog processor before the line is written."""
    return {key: scrub(value, str(key)) for key, value in event.items()}


def bind_client_address(*, request: HttpRequest, **_signal: Any) -> None:
    """Put the address we count by on every line of this request.

    django-structlog's own finder believes the left end of X-Forwarded-For, which is the client's word.
    """
    structlog.contextvars.bind_contextvars(ip=client_ip(request))


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                structlog.processors.JSONRenderer(),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # Django's own handlers (console in debug, mail to admins) would bypass the redaction.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # "Not found: …" says again what the request's own line says with its status.
        "django.request": {"level": "ERROR"},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        # Each query at DEBUG holds its parameters.
        "django.db.backends": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        # A line for each call and answer, with the ids in the address.
        "stripe": {"level": "WARNING"},
        "celery": {"level": "INFO"},
        "kombu": {"level": "WARNING"},
    },
}
