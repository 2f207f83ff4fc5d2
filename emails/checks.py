"""Start-up checks of the mail settings: what would else show only when the first mail is due."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import getaddresses
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from emails.gateway import SUPPRESSION_LISTS
from emails.services.delivery import CLEAR_TIMEOUT
from emails.services.queue import LEASE_SECONDS


@register
def mail_settings(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every fault names its variable and what to write instead."""
    found: list[CheckMessage] = []
    domain = settings.MAILGUN_SENDER_DOMAIN
    if not domain or any(mark in domain for mark in "/%@: "):
        found.append(
            Error(
                "MAILGUN_SENDER_DOMAIN is not a bare domain name.",
                hint="Write only the domain, such as mail.thetechdeputies.com.",
                id="emails.E001",
            )
        )
    address = urlsplit(settings.MAILGUN_API_URL)
    if not address.path.rstrip("/").endswith("/v3"):
        found.append(
            Error(
                "MAILGUN_API_URL does not end in /v3.",
                hint="Mailgun answers a wrong path with 200, so nothing else would tell.",
                id="emails.E002",
            )
        )
    if address.scheme == "http" and address.hostname not in {"127.0.0.1", "localhost", "::1"}:
        found.append(
            Error("MAILGUN_API_URL sends the key in clear text.", hint="Begin it with https://.", id="emails.E003")
        )
    senders = getaddresses([settings.DEFAULT_FROM_EMAIL])
    if len(senders) != 1 or "@" not in senders[0][1]:
        found.append(
            Error(
                "DEFAULT_FROM_EMAIL is not one address.",
                hint="Write it as: The Tech Deputies <help@mail.thetechdeputies.com>",
                id="emails.E004",
            )
        )
    vendor: Any = settings.ANYMAIL
    connect, read = vendor["REQUESTS_TIMEOUT"]
    rounds = settings.EMAIL_BATCH_SIZE / settings.EMAIL_SENDER_THREADS
    slowest = connect + read + len(SUPPRESSION_LISTS) * sum(CLEAR_TIMEOUT)
    if (rounds + 1) * slowest >= LEASE_SECONDS:
        found.append(
            Error(
                "A batch of mail could outlast its lease.",
                hint="Lower EMAIL_BATCH_SIZE or raise EMAIL_SENDER_THREADS.",
                id="emails.E005",
            )
        )
    return found
