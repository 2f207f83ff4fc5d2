"""A stand-in for each test, and a session that sends to it as the product would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.mailgun import StandIn

Post = Callable[..., requests.Response]


@pytest.fixture
def mailgun() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def session(mailgun: StandIn) -> Iterator[requests.Session]:
    """A kept-alive session with the sending key."""
    with requests.Session() as session:
        session.auth = ("api", mailgun.config.api_key)
        yield session


@pytest.fixture
def reader(mailgun: StandIn) -> Iterator[requests.Session]:
    """A session with the reading key."""
    with requests.Session() as session:
        session.auth = ("api", mailgun.config.read_api_key)
        yield session


def message(**fields: Any) -> dict[str, Any]:
    """The fields of a good message; a name may be written with ``__`` for the colon: ``h__Message_Id``."""
    named = {name.replace("__", ":").replace("_", "-"): value for name, value in fields.items()}
    least = {
        "from": "The Tech Deputies <help@mail.thetechdeputies.example>",
        "to": "Grace Hopper <grace@example.net>",
        "subject": "Your session is booked",
        "text": "See http://127.0.0.1:8000/booking/visits/abc/.",
    }
    return {name: value for name, value in {**least, **named}.items() if value is not None}


@pytest.fixture
def post(mailgun: StandIn, session: requests.Session) -> Post:
    """Post a good message with some fields changed; None leaves a field out."""

    def post(**fields: Any) -> requests.Response:
        files = fields.pop("files", None)
        address = f"{mailgun.url}/{mailgun.config.domain}/messages"
        return session.post(address, data=message(**fields), files=files, timeout=5)

    return post
