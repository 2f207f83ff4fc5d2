"""A stored message and its raw form."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import encoders, message_from_string
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr, getaddresses

LINK = re.compile(r"""https?://[^\s<>"']+""")
_LINK_TAIL = ".,;:!?)]}"
_READABLE = Charset("utf-8")
_READABLE.body_encoding = QP  # as Mailgun writes it; Python's own choice is base64
_ADDRESS_HEADERS = ("From", "To", "Cc", "Reply-To")


@dataclass(frozen=True)
class Attachment:
    filename: str
    content_type: str
    content: bytes
    inline: bool = False


@dataclass(frozen=True)
class Mail:
    """One accepted message, as the fields of the request said it."""

    id: int
    domain: str
    message_id: str
    """Without angle brackets, as in events."""
    sender: str
    to: list[str]
    """Bare addresses of To."""
    recipients: list[str]
    """Bare addresses of everybody: To, Cc and Bcc."""
    to_header: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    """The ``h:`` fields, by the name that was posted."""
    variables: dict[str, str]
    """The ``v:`` fields: the job's own data."""
    tags: list[str]
    options: dict[str, list[str]]
    """Every other field: ``o:``, ``t:``, ``cc``, ``bcc``, ``template``, ``recipient-variables``."""
    created: float
    size: int
    suppressed: dict[str, str]
    """Address to list name, for recipients Mailgun would not deliver to."""
    attachments: list[Attachment] = field(default_factory=list)

    @property
    def created_at(self) -> datetime:
        return datetime.fromtimestamp(self.created, UTC)

    @property
    def is_test_mode(self) -> bool:
        return self.options.get("o:testmode") in (["yes"], ["true"])

    @property
    def links(self) -> list[str]:
        """The web addresses in the text part, in order."""
        return [address for address, _tail in map(split_link, LINK.findall(self.text))]

    @property
    def raw(self) -> str:
        """The message as it would travel: headers, text, HTML, attachments."""
        return build_raw(self)


def split_link(found: str) -> tuple[str, str]:
    """The address itself and the punctuation that only follows it."""
    address = found.rstrip(_LINK_TAIL)
    return address, found[len(address) :]


def build_raw(mail: Mail) -> str:
    message = _body(mail)
    _set(message, "From", mail.sender)
    _set(message, "To", mail.to_header)
    if mail.options.get("cc"):
        _set(message, "Cc", ", ".join(mail.options["cc"]))
    _set(message, "Subject", mail.subject)
    _set(message, "Date", format_datetime(mail.created_at))
    _set(message, "Message-Id", f"<{mail.message_id}>")
    for name, value in mail.headers.items():
        if name.lower() != "message-id":
            _set(message, name, value)
    for tag in mail.tags:
        _set(message, "X-Mailgun-Tag", tag)
    if mail.variables:
        _set(message, "X-Mailgun-Variables", json.dumps(mail.variables))
    return message.as_string()


def _body(mail: Mail) -> Message:
    parts: list[Message] = []
    if mail.text or not mail.html:
        parts.append(MIMEText(_plain(mail.text), "plain", _READABLE))  # type: ignore[arg-type]
    if mail.html:
        parts.append(MIMEText(_plain(mail.html), "html", _READABLE))  # type: ignore[arg-type]
    body: Message = parts[0] if len(parts) == 1 else _multipart("alternative", parts)
    if mail.attachments:
        body = _multipart("mixed", [body, *map(_attached, mail.attachments)])
    return body


def _multipart(kind: str, parts: list[Message]) -> MIMEMultipart:
    whole = MIMEMultipart(kind)
    for part in parts:
        whole.attach(part)
    return whole


def _attached(attachment: Attachment) -> Message:
    main, _, sub = attachment.content_type.partition("/")
    part = MIMEBase(main or "application", sub.partition(";")[0].strip() or "octet-stream")
    kind = message_from_string(f"Content-Type: {' '.join(_plain(attachment.content_type).split())}\n\n")
    for key, value in kind.get_params([])[1:]:
        part.set_param(key, value)  # a calendar program goes by ``method=REQUEST``
    part.set_payload(attachment.content)
    encoders.encode_base64(part)
    name = " ".join(_plain(attachment.filename).split())
    part.add_header("Content-Disposition", "inline" if attachment.inline else "attachment", filename=name)
    if attachment.inline:
        part["Content-ID"] = f"<{name}>"
    return part


def _set(message: Message, name: str, value: str) -> None:
    """Add a header on one line: a line break inside a value is folded into a space, never a header of its own."""
    flat = " ".join(_plain(value).split())
    if name in _ADDRESS_HEADERS:
        try:
            message[name] = ", ".join(formataddr(pair) for pair in getaddresses([flat]))
            return
        except UnicodeError:
            pass  # an address outside ASCII: encode the whole value instead
    message[re.sub(r"[^!-9;-~]", "-", name) or "X-Unnamed"] = (
        flat if flat.isascii() else str(Header(flat, "utf-8").encode())
    )


def _plain(text: str) -> str:
    """Text that can be written as UTF-8: a lone surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
