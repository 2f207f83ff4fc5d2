"""What must never be in a log: planted everywhere, looked for in the line."""

from __future__ import annotations

import io
import json
import logging
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.db import IntegrityError, transaction
from django.test import Client, RequestFactory

from accounts.tests.factories import make_user
from techdeputies.logs import LOGGING, bind_client_address, clean, scrub


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """A logger that writes through the product's own formatter."""
    formatter_config = LOGGING["formatters"]["json"]
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=formatter_config["processors"], foreign_pre_chain=formatter_config["foreign_pre_chain"]
    )
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


TOKEN = secrets.token_urlsafe(32)
SHORT_TOKEN = "k3J9xQ2m"

MARKERS = {
    "reset link": (f"GET /accounts/password/reset/{TOKEN}/", TOKEN),
    "short reset link": (f"GET /accounts/password/reset/{SHORT_TOKEN}/", SHORT_TOKEN),
    "verification link": (f"GET /accounts/verify/{TOKEN}/", TOKEN),
    "change of address": (f"GET /accounts/email/change/confirm/{TOKEN}/", TOKEN),
    "unsubscribe": (f"GET /emails/unsubscribe/{TOKEN}/", TOKEN),
    "code in a query": ("GET /accounts/verify/?code=493027", "493027"),
    "anything in a query": ("GET /booking/?topic=grandson", "grandson"),
    "address": ("sent to margaret.hill@example.com", "margaret.hill"),
    "encoded address": ("GET /x margaret.hill%40example.com", "margaret.hill"),
    "cookie": ("Cookie: sessionid=abc123secret", "abc123secret"),
    "bearer": ("Authorization: Bearer abcdefgh12345", "abcdefgh12345"),
    "basic": ("got Basic YXBpOmtleTEyMw==", "YXBpOmtleTEyMw"),
    "password pair": ("password=hunter2hunter2", "hunter2"),
    "json pair": ('{"password": "hunter2hunter2"}', "hunter2"),
    "stripe key": ("using sk_live_51Habcdefghij", "51Habcdefghij"),
    "webhook secret": ("whsec_abcdefghijk", "abcdefghijk"),
    "gift code": ("card ABCD-EFGH-JKLM-2345 used", "JKLM"),
    "card number": ("paid with 4242 4242 4242 4242", "4242 4242"),
    "hash": ("stored argon2$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", "c2FsdA"),
    "bare token": (f"token is {TOKEN}", TOKEN),
    "database address": ("postgres://td:hunter2@db.example/td", "hunter2"),
    "row quoted by the database": ("Key (lower(email::text))=(margaret@example.com) already exists.", "margaret"),
}


@pytest.mark.parametrize("name", MARKERS)
def test_a_marker_does_not_reach_the_log(lines: io.StringIO, name: str) -> None:
    text, marker = MARKERS[name]

    structlog.get_logger("product").info("ours", request=text)
    logging.getLogger("theirs").warning("theirs: %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("theirs").exception("broke")

    assert marker not in lines.getvalue()
    assert len(lines.getvalue().splitlines()) == 3


@pytest.mark.parametrize(
    "field",
    ["password", "new_password", "token", "cookie", "csrfmiddlewaretoken", "authorization", "api_key", "code", "name"],
)
def test_a_field_of_a_secret_name_is_hidden_whole(field: str) -> None:
    assert scrub({field: "marker", "inner": [{field: "marker"}]}) == {
        field: "[hidden]",
        "inner": [{field: "[hidden]"}],
    }


@pytest.mark.parametrize(
    "text",
    [
        "GET /booking/tz4a98xxat96iws9zmbrgj3a/",
        "GET /accounts/verify/send/",
        "GET /accounts/password/reset/",
        "2026-12-01 10:00:00",
        "booking.tasks.send_due_reminders",
        'File "/srv/app/booking/services.py", line 120',
    ],
)
def test_what_helps_to_find_a_fault_stays(text: str) -> None:
    assert clean(text) == text


def test_a_line_end_cannot_forge_a_line(lines: io.StringIO) -> None:
    forged = 'x\r\n{"event": "admin_signed_in"}\u2028y'

    logging.getLogger("theirs").warning("agent %s", forged)
    structlog.get_logger("product").warning("ours", agent=forged)

    assert len(lines.getvalue().splitlines()) == 2
    assert all("agent" in json.dumps(json.loads(line)) for line in lines.getvalue().splitlines())


def test_the_address_logged_is_the_socket_and_not_the_header() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="198.51.100.1")

    with structlog.contextvars.bound_contextvars():
        bind_client_address(request=request)
        assert structlog.contextvars.get_contextvars()["ip"] == "203.0.113.9"


@pytest.mark.django_db
def test_a_page_logs_its_request_id_and_no_query_value(lines: io.StringIO, client: Client) -> None:
    client.get("/help/?secret=marker-1", HTTP_USER_AGENT="agent\r\nforged: line")

    found: list[dict[str, Any]] = [json.loads(line) for line in lines.getvalue().splitlines()]
    finished = next(line for line in found if line["event"] == "request_finished")
    assert len(finished["request_id"]) == 36
    assert finished["ip"] == "127.0.0.1"
    assert finished["code"] == 200
    assert "marker-1" not in lines.getvalue()


@pytest.mark.django_db
def test_a_broken_unique_index_does_not_quote_the_address(lines: io.StringIO) -> None:
    make_user(email="margaret.hill@example.com")

    try:
        with transaction.atomic():
            make_user(email="Margaret.Hill@example.com")
    except IntegrityError:
        logging.getLogger("theirs").exception("broke")

    assert "duplicate key" in lines.getvalue()
    assert "argaret" not in lines.getvalue()
