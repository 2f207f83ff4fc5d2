"""Unexpected errors to Sentry, where a DSN is given; cleaned by the same rules as the logs."""

from __future__ import annotations

from typing import Any

import sentry_sdk

from techdeputies.logs import scrub


def report_to(dsn: str) -> None:
    """Start reporting. Sends no personal data, no request bodies and no local variables."""
    sentry_sdk.init(
        dsn=dsn,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=_clean,
    )


def _clean(event: Any, _hint: Any) -> Any:
    return scrub(event)
