"""Event bodies, shaped like Mailgun's own (Manual, "Event structure"), and their signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from typing import Any

from sandbox.mailgun.mail import Mail

KINDS = (
    "accepted",
    "delivered",
    "opened",
    "clicked",
    "unsubscribed",
    "complained",
    "temporary_fail",
    "permanent_fail",
    "suppressed",
)
LIST_OF = {"permanent_fail": "bounces", "complained": "complaints", "unsubscribed": "unsubscribes"}
"""The suppression list an event puts its recipient on."""

_SUPPRESSED = {
    "bounces": ("suppress-bounce", 605, "Not delivering to previously bounced address"),
    "unsubscribes": ("suppress-unsubscribe", 606, "Not delivering to unsubscribed address"),
    "complaints": ("suppress-complaint", 607, "Not delivering to a user who marked your messages as spam"),
}
_NAMES = {"temporary_fail": "failed", "permanent_fail": "failed", "suppressed": "failed"}
_BY_READER = {"opened", "clicked", "unsubscribed"}
_ACCOUNT = {"id": "64f0c0ffee0ddba11ca7e001"}
_SENDING_IP = "192.0.2.10"


def build(mail: Mail, recipient: str, kind: str, *, moment: float | None = None, host: str = "") -> dict[str, Any]:
    """The ``event-data`` of one event about one recipient."""
    event: dict[str, Any] = {
        "event": _NAMES.get(kind, kind),
        "id": secrets.token_urlsafe(16),
        "timestamp": round(time.time() if moment is None else moment, 6),
        "log-level": "error" if kind in ("permanent_fail", "suppressed") else _level(kind),
        "account": _ACCOUNT,
        "domain": {"name": mail.domain},
        "recipient": recipient,
        "recipient-domain": recipient.rpartition("@")[2],
        "tags": ["*"] if kind == "unsubscribed" else list(mail.tags),
        "campaigns": [],
        "user-variables": _variables(mail),
    }
    if kind in _BY_READER:
        event["message"] = {"headers": {"message-id": mail.message_id}}
        event.update(_reader())
        if kind == "clicked":
            event["url"] = mail.links[0] if mail.links else f"https://{mail.domain}/"
        if kind == "unsubscribed":
            event["storage"] = []
        return event
    event["message"] = {
        "headers": {
            "to": mail.to_header,
            "message-id": mail.message_id,
            "from": mail.sender,
            "subject": mail.subject,
        },
        "attachments": [
            {"filename": item.filename, "content-type": item.content_type, "size": len(item.content)}
            for item in mail.attachments
        ],
        "size": mail.size,
    }
    event["storage"] = {"key": f"m{mail.id}", "url": f"{host}/v3/domains/{mail.domain}/messages/m{mail.id}"}
    event["flags"] = {"is-authenticated": True, "is-test-mode": mail.is_test_mode}
    event["envelope"] = {
        "sender": f"no-reply@{mail.domain}",
        "targets": recipient,
        "transport": "smtp",
        "sending-ip": _SENDING_IP,
    }
    if kind == "accepted":
        event["method"] = "HTTP"
        event["api-key-id"] = "1a2b3c4d-5e6f7a8b"
    elif kind == "complained":
        event["envelope"] = {"sending-ip": _SENDING_IP}
        del event["flags"]
    else:
        event["recipient-provider"] = "Other"
        event.update(_outcome(mail, recipient, kind))
    return event


def _outcome(mail: Mail, recipient: str, kind: str) -> dict[str, Any]:
    status: dict[str, Any] = {
        "attempt-no": 1,
        "description": None,
        "session-seconds": 0.563,
        "enhanced-code": None,
        "mx-host": f"mx1.{recipient.rpartition('@')[2]}",
        "first-delivery-attempt-seconds": 0.045,
        "tls": True,
        "utf8": True,
        "certificate-verified": True,
    }
    if kind == "delivered":
        return {"delivery-status": status | {"code": 250, "message": "OK"}}
    if kind == "temporary_fail":
        status |= {"code": 421, "message": "4.7.0 try again later", "retry-seconds": 600}
        return {"severity": "temporary", "reason": "generic", "delivery-status": status}
    if kind == "suppressed":
        reason, code, words = _SUPPRESSED[mail.suppressed[recipient.lower()]]
        status = {"attempt-no": 1, "code": code, "description": words, "message": "", "session-seconds": 0}
        return {"severity": "permanent", "reason": reason, "delivery-status": status}
    status |= {
        "code": 550,
        "enhanced-code": "5.1.1",
        "bounce-type": "hard",
        "message": "5.1.1 The email account that you tried to reach does not exist",
    }
    return {"severity": "permanent", "reason": "bounce", "delivery-status": status}


def _level(kind: str) -> str:
    return "warn" if kind in ("complained", "temporary_fail") else "info"


def _variables(mail: Mail) -> dict[str, str] | list[str] | str:
    """An object; an empty list when there are none; a cut string when they are longer than 4 KB."""
    if not mail.variables:
        return []
    whole = json.dumps(mail.variables)
    return whole[:4096] if len(whole) > 4096 else dict(mail.variables)


def _reader() -> dict[str, Any]:
    return {
        "ip": "198.51.100.7",
        "geolocation": {"city": "San Antonio", "country": "US", "region": "TX", "timezone": "America/Chicago"},
        "client-info": {
            "client-name": "Chrome",
            "client-os": "OS X",
            "client-type": "browser",
            "device-type": "desktop",
            "user-agent": "Mozilla/5.0 (Macintosh) Chrome/144.0.0.0",
            "bot": None,
        },
        "recipient-provider": "Other",
    }


def signed(event: dict[str, Any], signing_key: str, *, moment: float | None = None) -> dict[str, Any]:
    """The webhook body of an event: signed over timestamp and token, not over the event."""
    timestamp = str(int(time.time() if moment is None else moment))
    token = secrets.token_hex(25)
    signature = hmac.new(signing_key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"signature": {"timestamp": timestamp, "token": token, "signature": signature}, "event-data": event}
