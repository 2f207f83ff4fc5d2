"""Mailgun's posts for tests: the samples kept as files, and bodies made and signed here."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

from django.http import HttpResponse
from django.test import Client

from emails.models import EmailJob
from emails.services import events
from emails.services.events import Event

DATA = Path(__file__).parent / "data" / "mailgun"
KEY = "stand-in-signing-key"
SAMPLE_KEY = "test-signing-key"
ADDRESS = "/webhooks/mailgun"


def sample(name: str) -> dict[str, Any]:
    """A post as Mailgun sent it, signature and all."""
    body: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return body


def about(job: EmailJob, name: str, *, second: float | None = None, **changes: Any) -> dict[str, Any]:
    """The ``event-data`` of a sample, about this job; ``second`` is seconds after the sample's own moment."""
    data: dict[str, Any] = sample(name)["event-data"]
    data |= {"id": secrets.token_urlsafe(16), "recipient": job.recipient_email, **changes}
    data["message"]["headers"] = {"message-id": job.message_id}
    data["user-variables"] = {"job_id": str(job.pk)}
    if second is not None:
        data["timestamp"] = 1_795_363_200.0 + second
    return data


def event(job: EmailJob, name: str, **changes: Any) -> Event:
    return events.parse(about(job, name, **changes))


def signed(data: Any, *, key: str = KEY, moment: float | None = None, token: str = "") -> dict[str, Any]:
    timestamp = str(int(time.time() if moment is None else moment))
    token = token or secrets.token_hex(25)
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"signature": {"timestamp": timestamp, "token": token, "signature": signature}, "event-data": data}


def post(client: Client, body: Any, **options: Any) -> HttpResponse:
    raw = body if isinstance(body, str | bytes) else json.dumps(body)
    answer: Any = client.post(ADDRESS, raw, **{"content_type": "application/json", **options})
    return answer
