"""What a stand-in is told at the start: keys, version, webhook address."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

API_VERSION = "2026-10-28.endive"
RETRY_SECONDS = (10.0, 60.0, 600.0, 3600.0)

_VARIABLES = {
    "api_key": "STRIPE_SECRET_KEY",
    "webhook_url": "STRIPE_STANDIN_WEBHOOK_URL",
}


@dataclass(frozen=True)
class Config:
    """The account the stand-in plays. The defaults are those of the product's development settings.

    Where it can be reached is no part of this: the stand-in sets ``account.site`` once it knows its port.
    """

    api_key: str = "sk_test_stand_in"
    api_version: str = API_VERSION
    """The one version that requests may name and events are written in."""
    webhook_secret: str = "whsec_stand_in"
    webhook_url: str = ""
    """Where events are posted. Empty: events are kept for look-ups and posted nowhere."""
    retry_seconds: tuple[float, ...] = RETRY_SECONDS
    webhook_copies: int = 1
    """How often each event is posted."""
    webhook_shuffle: int | None = None
    """The seed of the order in which events are posted; None posts them in the order they happen."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The defaults, with what the environment names put over them."""
        source = os.environ if environment is None else environment
        named = {name: source[variable] for name, variable in _VARIABLES.items() if source.get(variable)}
        config = replace(cls(), **named)  # type: ignore[arg-type]
        secrets = [word.strip() for word in source.get("STRIPE_WEBHOOK_SECRETS", "").split(",") if word.strip()]
        if secrets:  # the first is the newest, and the one posts are signed with
            config = replace(config, webhook_secret=secrets[0])
        if copies := source.get("STRIPE_STANDIN_WEBHOOK_COPIES"):
            config = replace(config, webhook_copies=int(copies))
        if seed := source.get("STRIPE_STANDIN_WEBHOOK_SHUFFLE"):
            config = replace(config, webhook_shuffle=int(seed))
        return config
