"""The stand-in for Mailgun, over HTTP, and a clean slate for what a process remembers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from emails import wording
from emails.services import breaker, delivery, throttle
from sandbox.mailgun import StandIn


@pytest.fixture(scope="session")
def _mailgun_server() -> Iterator[StandIn]:
    with StandIn() as server:
        yield server


@pytest.fixture
def mailgun(_mailgun_server: StandIn, settings: Any) -> StandIn:
    """An empty Mailgun to which this test's mail goes."""
    _mailgun_server.clear()
    _mailgun_server.index_lag = 0
    settings.MAILGUN_API_URL = _mailgun_server.url
    settings.MAILGUN_READ_API_KEY = _mailgun_server.config.read_api_key
    settings.MAILGUN_SENDER_DOMAIN = _mailgun_server.config.domain
    settings.ANYMAIL = {**_mailgun_server.anymail, "REQUESTS_TIMEOUT": (1, 1)}
    return _mailgun_server


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(delivery, "_claims", itertools.count())
    monkeypatch.setattr(throttle, "rate", lambda: 0.0)
    wording.forget()
    breaker.reset()
    yield
    breaker.reset()
