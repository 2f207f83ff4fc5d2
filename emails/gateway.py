"""The only file that speaks to Mailgun: sending through anymail, look-ups through ``requests``. It knows no table.

Facts of the API (Mailgun's reference, "Messages" and "Logs"): there is no idempotency key, a message may be
accepted although the answer is a 5xx, and 200 means accepted only. So an answer is one of the seven fates
below, and what cannot be told for sure is UNSURE: it is looked up by our own Message-Id before any repeat.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime, quote
from enum import Enum
from typing import Any
from urllib.parse import quote as quote_path
from urllib.parse import urljoin

import requests
import urllib3
from anymail.backends.mailgun import EmailBackend, MailgunPayload
from anymail.exceptions import AnymailAPIError, AnymailConfigurationError, AnymailError
from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from emails.exceptions import LookUpUnavailable, MailgunUnreachable

PAUSE_DEFAULT_SECONDS = 30.0
PAUSE_MOST_SECONDS = 600.0
LOOK_UP_MARGIN = timedelta(hours=1)

_BAD_KEY_OR_DOMAIN = frozenset({401, 402, 403, 404})
_TOO_FAST = frozenset({420, 429})
_MAYBE_ACCEPTED = frozenset({408})
_TRY_AFTER = re.compile(r"again (?:after|in) (\d{1,5})")


class Fate(Enum):
    ACCEPTED = "accepted"
    BAD_ADDRESS = "bad address"
    """Refused for good, and no fault of ours."""
    REFUSED = "refused"
    """Refused for good: a defect of the mail."""
    MISCONFIGURED = "misconfigured"
    """Key, billing, domain or region: no mail will go before somebody has acted."""
    TOO_FAST = "too fast"
    NOT_SENT = "not sent"
    """For sure: no connection came about."""
    UNSURE = "unsure"


@dataclass(frozen=True)
class Answer:
    fate: Fate
    detail: str = ""
    wait_seconds: float = 0.0
    message_id: str = ""
    """Without brackets, as Mailgun knows the mail; only when accepted."""


@dataclass(frozen=True)
class Letter:
    """One finished mail to one bare address. ``message_id`` is without brackets."""

    message_id: str
    to: str
    name: str
    subject: str
    text: str
    html: str
    job_id: int
    reply_to: str = ""
    tags: Sequence[str] = ()
    is_tracked: bool = True
    attachments: Sequence[dict[str, str]] = ()
    headers: dict[str, str] = field(default_factory=dict)


class _Session(requests.Session):
    """Keep-alive, no redirects, and the environment's proxies read once instead of at every request."""

    def __init__(self) -> None:
        super().__init__()
        merged = self.merge_environment_settings(settings.MAILGUN_API_URL, {}, None, None, None)
        self.proxies.update(merged["proxies"])
        # A bundle named in the environment is looked for on the disk at every request: only where it counts.
        self.verify = merged["verify"] if settings.MAILGUN_API_URL.startswith("https:") else True
        self.trust_env = False

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False
        return super().request(*args, **kwargs)


class _Payload(MailgunPayload):
    """Anymail's payload, always as multipart: the form it takes else quotes each byte of the HTML, in Python."""

    def get_request_params(self, api_url: str) -> dict[str, Any]:
        params: dict[str, Any] = super().get_request_params(api_url)
        if not params["files"]:
            boundary = secrets.token_hex(16)
            params["data"] = _multipart(params["data"], boundary)
            params["files"] = None
            params["headers"] = {
                **(params["headers"] or {}),
                "Content-Type": f"multipart/form-data; boundary={boundary}",
            }
        return params


def _multipart(fields: dict[str, Any], boundary: str) -> bytes:
    """The fields as a form (RFC 7578); a list repeats its field. The boundary is too random to stand in a value."""
    parts: list[str] = []
    for name, value in fields.items():
        safe = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        parts.extend(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{safe}"\r\n\r\n{item}\r\n'
            for item in (value if isinstance(value, list | tuple) else (value,))
            if item is not None
        )
    return "".join([*parts, f"--{boundary}--\r\n"]).encode()


class MailgunBackend(EmailBackend):
    """Anymail's backend on our session. Not for two threads at once: its session is not."""

    def build_message_payload(self, message: Any, defaults: Any) -> MailgunPayload:
        return _Payload(message, defaults, self)

    def create_session(self) -> requests.Session:
        session = _Session()
        session.headers["User-Agent"] = "TechDeputies/1.0"
        return session


_local = threading.local()


def send(letter: Letter) -> Answer:
    """Post one mail and say what became of it. Never raises for what Mailgun or the network do."""
    message = _build(letter)
    try:
        _connection().send_messages([message])
    except AnymailAPIError as error:
        return _judge(error)
    except AnymailConfigurationError as error:
        return Answer(Fate.MISCONFIGURED, _first_line(error))
    except (AnymailError, ValueError) as error:
        # Raised while building the request: nothing has left the house.
        return Answer(Fate.REFUSED, _first_line(error))
    found = str(message.anymail_status.message_id or "")
    return Answer(Fate.ACCEPTED, message_id=found.strip("<>"))


def look_up(message_id: str, *, attempted_at: datetime) -> datetime | None:
    """When Mailgun took the mail with this id (no brackets), or None when it never did.

    Its logs lag behind by up to a minute, so ask no sooner. Raises LookUpUnavailable without a read key and
    for any answer that is neither yes nor no.
    """
    found = _logged(message_id, since=attempted_at, limit=10)
    return _moment_of(found[0]) if found else None


def events_of(message_id: str, *, since: datetime) -> list[Any]:
    """What Mailgun's logs hold about the mail with this id, oldest first. Raises LookUpUnavailable."""
    return _logged(message_id, since=since, limit=300)


def can_look_up() -> bool:
    """Without a second key nothing can be looked up: a sending key may only send."""
    return bool(settings.MAILGUN_READ_API_KEY)


def _logged(message_id: str, *, since: datetime, limit: int) -> list[Any]:
    if not can_look_up():
        raise LookUpUnavailable("There is no key for look-ups.")
    vendor: Any = settings.ANYMAIL
    wanted: Any = {
        "start": format_datetime((since - LOOK_UP_MARGIN).astimezone(UTC)),
        "filter": {
            "AND": [
                {
                    "attribute": "message_id",
                    "comparator": "=",
                    "values": [{"label": message_id, "value": message_id}],
                }
            ]
        },
        "pagination": {"limit": limit, "sort": "timestamp:asc"},
        "include_totals": False,
    }
    try:
        response = _reader().post(
            urljoin(vendor["MAILGUN_API_URL"], "/v1/analytics/logs"),
            json=wanted,
            auth=("api", settings.MAILGUN_READ_API_KEY),
            timeout=vendor.get("REQUESTS_TIMEOUT", (3, 10)),
        )
        if response.status_code != 200:
            raise LookUpUnavailable(f"The look-up was answered with {response.status_code}.")
        return [item for item in response.json()["items"] if _id_of(item) == message_id]
    except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LookUpUnavailable(f"The look-up failed: {type(error).__name__}.") from error


# --- Building -------------------------------------------------------------------------------------------


def _build(letter: Letter) -> Any:
    """Anymail's attributes (``metadata``, ``tags``) are not declared by Django's class, hence Any."""
    to = f'"{quote(letter.name)}" <{letter.to}>' if letter.name else letter.to
    message: Any = EmailMultiAlternatives(
        subject=letter.subject,
        body=letter.text,
        to=[to],
        reply_to=[letter.reply_to] if letter.reply_to else None,
        headers={**letter.headers, "Message-ID": f"<{letter.message_id}>", "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(letter.html, "text/html")
    for attachment in letter.attachments:
        # The charset spelled out keeps anymail from rebuilding the header: ``method=REQUEST`` must survive,
        # by which a calendar program knows what to do.
        kind = attachment["content_type"]
        message.attach(
            attachment["filename"], attachment["content"], kind if "charset=" in kind else f"{kind}; charset=utf-8"
        )
    message.metadata = {"job_id": str(letter.job_id)}
    message.tags = list(letter.tags)
    if not letter.is_tracked:
        # One-time links must not pass a redirecting host.
        message.track_opens = message.track_clicks = False
    return message


def _connection() -> MailgunBackend:
    """This thread's opened connection; a new one when the settings have changed."""
    key = tuple(sorted((name, str(value)) for name, value in settings.ANYMAIL.items()))
    if getattr(_local, "key", None) != key:
        backend = MailgunBackend()
        backend.open()
        _local.backend, _local.key = backend, key
    return _local.backend


def _reader() -> requests.Session:
    """For look-ups: the thread's sending connection, so that a thread never holds two."""
    session: requests.Session = _connection().session
    return session


# --- Judging --------------------------------------------------------------------------------------------


def _judge(error: AnymailAPIError) -> Answer:
    response = error.response
    if response is None:
        return _judge_network(error)
    code, text = response.status_code, response.text[:500]
    detail = f"{code}: {' '.join(text.split())[:300]}"
    if code in _TOO_FAST:
        return Answer(Fate.TOO_FAST, detail, wait_seconds=_pause(response, text))
    if code >= 500 or code in _MAYBE_ACCEPTED:
        return Answer(Fate.UNSURE, detail)
    if code in _BAD_KEY_OR_DOMAIN or code < 400:
        # Below 400: a redirect, or the 200 without an id that a wrong path gets.
        return Answer(Fate.MISCONFIGURED, detail)
    if code == 400 and "not a valid address" in text:
        return Answer(Fate.BAD_ADDRESS, detail)
    return Answer(Fate.REFUSED, detail)


def _judge_network(error: BaseException) -> Answer:
    """Sent for sure not, or unsure: only a connection that never came about is sure."""
    cause: BaseException | None = error
    name = type(error.__cause__ or error).__name__
    seen = 0
    while cause is not None and seen < 10:
        if isinstance(cause, requests.ConnectTimeout):
            return Answer(Fate.NOT_SENT, f"No connection: {name}")
        for inner in (cause, *getattr(cause, "args", ()), getattr(cause, "reason", None)):
            if isinstance(inner, _NEVER_CONNECTED) or _is_untrusted(inner):
                return Answer(Fate.NOT_SENT, f"No connection: {type(inner).__name__}")
            if isinstance(inner, urllib3.exceptions.MaxRetryError) and (
                isinstance(inner.reason, _NEVER_CONNECTED) or _is_untrusted(inner.reason)
            ):
                return Answer(Fate.NOT_SENT, f"No connection: {type(inner.reason).__name__}")
        cause, seen = cause.__cause__ or cause.__context__, seen + 1
    return Answer(Fate.UNSURE, f"The answer was lost: {name}")


_NEVER_CONNECTED = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.NameResolutionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)


def _is_untrusted(error: object) -> bool:
    return isinstance(error, urllib3.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error)


def _pause(response: requests.Response, text: str) -> float:
    """Seconds to wait: from the header, else from the text, else half a minute; ten minutes at most."""
    header = response.headers.get("Retry-After", "").strip()
    seconds = PAUSE_DEFAULT_SECONDS
    if header.isascii() and header.isdigit():
        seconds = float(header)
    elif header:
        with contextlib.suppress(ValueError, TypeError):
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    elif found := _TRY_AFTER.search(text):
        seconds = float(found[1])
    return min(max(seconds, 1.0), PAUSE_MOST_SECONDS)


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"


def _id_of(item: Any) -> str:
    return str(item.get("message", {}).get("headers", {}).get("message-id", "")).strip("<>")


def _moment_of(item: Any) -> datetime:
    """The log line's moment; now, when it has none we can read: that the line exists is what counts."""
    with contextlib.suppress(ValueError, TypeError):
        return datetime.fromisoformat(str(item.get("@timestamp")).replace("Z", "+00:00"))
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return datetime.fromtimestamp(float(item.get("timestamp")), UTC)
    return datetime.now(UTC)


# --- Mailgun's own lists --------------------------------------------------------------------------------

SUPPRESSION_LISTS = ("bounces", "complaints", "unsubscribes")


def clear_suppression(address: str, *, timeout: tuple[float, float] | None = None) -> None:
    """Take an address off all three lists of our domain. Twice does no harm. Raises MailgunUnreachable.

    The sending key may not do this; the other key must have the role "developer".
    """
    if not settings.MAILGUN_READ_API_KEY:
        raise MailgunUnreachable(
            "There is no key for Mailgun's lists, so nothing was changed. Set MAILGUN_READ_API_KEY."
        )
    vendor: Any = settings.ANYMAIL
    whole = f"{vendor['MAILGUN_API_URL'].rstrip('/')}/{settings.MAILGUN_SENDER_DOMAIN}"
    for name in SUPPRESSION_LISTS:
        try:
            response = _reader().delete(
                f"{whole}/{name}/{quote_path(address, safe='@')}",
                auth=("api", settings.MAILGUN_READ_API_KEY),
                timeout=timeout or vendor.get("REQUESTS_TIMEOUT", (3, 10)),
            )
        except requests.RequestException as error:
            raise MailgunUnreachable from error
        if response.status_code in (401, 403):
            raise MailgunUnreachable(
                "Mailgun does not let our key change its lists, so nothing was changed. "
                'MAILGUN_READ_API_KEY must be a key with the role "developer".'
            )
        if response.status_code != 200 and not _is_not_listed(response):
            raise MailgunUnreachable


def _is_not_listed(response: requests.Response) -> bool:
    """A 404 that means "not on this list", or a 400: what is no address cannot be listed.

    The 404 of a wrong domain or path says something else.
    """
    return response.status_code == 400 or (response.status_code == 404 and "not found in" in response.text)
