"""Start-up checks of the Stripe settings: what would else show only when somebody wants to pay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from billing.gateway import API_VERSION

SPOKEN = "2026-10-28.endive"
"""The version of Stripe's API whose shapes ``billing/gateway`` reads."""


@register
def stripe_settings(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every fault names its variable and what to write instead; no value is ever shown."""
    found: list[CheckMessage] = []
    if not settings.STRIPE_SECRET_KEY.startswith(("sk_", "rk_")):
        found.append(
            Error(
                "STRIPE_SECRET_KEY is not a secret key.",
                hint="Stripe's dashboard shows it; it begins with sk_ or rk_.",
                id="billing.E001",
            )
        )
    if _is_live(settings.STRIPE_SECRET_KEY) != _is_live(settings.STRIPE_PUBLISHABLE_KEY):
        found.append(
            Error(
                "One of STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY is live, the other is for tests.",
                hint="Take both from the same page of Stripe's dashboard.",
                id="billing.E002",
            )
        )
    if not all(secret.startswith("whsec_") for secret in settings.STRIPE_WEBHOOK_SECRETS):
        found.append(
            Error(
                "STRIPE_WEBHOOK_SECRETS holds something that is no signing secret.",
                hint="Each begins with whsec_; Stripe shows it beside the endpoint. Put a comma between two.",
                id="billing.E003",
            )
        )
    address = urlsplit(settings.STRIPE_API_BASE)
    if address.scheme == "http" and address.hostname not in {"127.0.0.1", "localhost", "::1"}:
        found.append(
            Error("STRIPE_API_BASE sends the key in clear text.", hint="Begin it with https://.", id="billing.E004")
        )
    if API_VERSION != SPOKEN:
        found.append(
            Error(
                f"The installed stripe package speaks {API_VERSION}, but this product reads {SPOKEN}.",
                hint="Install the pinned package, or bring billing/gateway up to date first.",
                id="billing.E005",
            )
        )
    return found


def _is_live(key: str) -> bool:
    return "_live_" in key
