"""What a stand-in is told at the start: keys, domain, webhook address."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

RETRY_SECONDS = (300.0, 600.0, 900.0, 3600.0, 7200.0, 14400.0)  # Mailgun's own waits between webhook attempts

_VARIABLES = {
    "api_key": "MAILGUN_API_KEY",
    "read_api_key": "MAILGUN_READ_API_KEY",
    "read_role": "MAILGUN_STANDIN_READ_ROLE",
    "domain": "MAILGUN_SENDER_DOMAIN",
    "signing_key": "MAILGUN_WEBHOOK_SIGNING_KEY",
    "webhook_url": "MAILGUN_STANDIN_WEBHOOK_URL",
}


@dataclass(frozen=True)
class Config:
    """The account the stand-in plays. The defaults are those of the product's development settings."""

    api_key: str = "stand-in-sending-key"
    """A domain sending key: it may post messages and nothing else."""
    read_api_key: str = "stand-in-read-key"
    """The key for events, logs and suppressions."""
    read_role: str = "basic"
    """``basic`` only reads; ``developer`` may also change the suppression lists and send."""
    domain: str = "mail.thetechdeputies.example"
    signing_key: str = "stand-in-signing-key"
    webhook_url: str = ""
    """Where events are posted. Empty: events are kept for look-ups and posted nowhere."""
    retry_seconds: tuple[float, ...] = RETRY_SECONDS
    webhook_copies: int = 1
    """How often each event is posted."""
    webhook_shuffle: int | None = None
    """The seed of the order in which events are posted; None posts them in the order they happen."""
    auto_deliver: bool = False
    """Write a ``delivered`` event right after each ``accepted`` one, as a willing receiver would cause."""

    def __post_init__(self) -> None:
        if self.read_role not in ("basic", "developer"):
            raise ValueError(f"The read key's role is basic or developer, not {self.read_role!r}.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The defaults, with what the environment names put over them."""
        source = os.environ if environment is None else environment
        named = {name: source[variable] for name, variable in _VARIABLES.items() if source.get(variable)}
        config = replace(cls(), **named)  # type: ignore[arg-type]
        if source.get("MAILGUN_STANDIN_AUTO_DELIVER", "").lower() in ("1", "true", "yes", "on"):
            config = replace(config, auto_deliver=True)
        if copies := source.get("MAILGUN_STANDIN_WEBHOOK_COPIES"):
            config = replace(config, webhook_copies=int(copies))
        if seed := source.get("MAILGUN_STANDIN_WEBHOOK_SHUFFLE"):
            config = replace(config, webhook_shuffle=int(seed))
        return config

    @classmethod
    def names(cls) -> set[str]:
        return {field.name for field in fields(cls)}
