"""The lean sink takes what anymail sends, counts it by id, and has the bad days it is told to have."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from benchmarks.load import fetch
from benchmarks.mail.sink import BURST_EVERY, BURST_LENGTH, Book, message_id
from benchmarks.stage import ROOT
from sandbox import child as children
from sandbox.environment import free_port
from sandbox.supervisor import wait_for_page

NAME = "job-7.0123456789abcdef@mail.example"


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.mail.sink", str(port), "0"]
    child = children.start(command, role="sink", env=os.environ, cwd=ROOT)
    try:
        wait_for_page(f"http://127.0.0.1:{port}/", lambda: child, seconds=20)
        yield port
    finally:
        child.stop(((signal.SIGTERM, 5.0),))


@pytest.mark.parametrize("as_files", [True, False])
def test_a_message_is_counted_by_its_id_and_found_again(port: int, as_files: bool) -> None:
    fields = {"to": "a@example.com", "subject": "Hello", "h:Message-Id": f"<{NAME}>", "text": "x" * 3000}
    with requests.Session() as session:
        for _ in range(2):
            files = {name: (None, value) for name, value in fields.items()} if as_files else None
            data = None if as_files else fields
            address = f"http://127.0.0.1:{port}/v3/mail.example/messages"
            answer = session.post(address, data=data, files=files, timeout=5)
            assert answer.json()["id"] == f"<{NAME}>"
        facts = session.get(f"http://127.0.0.1:{port}/facts", timeout=5).json()
        assert facts["accepted"] == {NAME: 2}
        assert (facts["connections"], facts["most_open"]) == (1, 1)
        condition = {"attribute": "message_id", "comparator": "=", "values": [{"value": NAME}, {"value": "other"}]}
        wanted: Any = {"filter": {"AND": [condition]}}
        found = session.post(f"http://127.0.0.1:{port}/v1/analytics/logs", json=wanted, timeout=5).json()
        assert [item["message"]["headers"]["message-id"] for item in found["items"]] == [NAME]
    assert (
        fetch(port, b"POST /forget HTTP/1.1\r\nContent-Length: 24\r\n\r\n" + b'{"delay": 0, "seed": 12}').status == 200
    )
    assert fetch(port, b"GET /facts HTTP/1.1\r\n\r\n").body.startswith(b'{"accepted": {}')


def test_bad_days_come_in_the_shares_that_were_asked_for() -> None:
    book = Book(0, 5)
    fates = Counter(book.fate() for _ in range(10_000))

    assert 0.04 < (fates["500"] + fates["500 accepted"]) / 10_000 < 0.06
    assert 0.4 < fates["500 accepted"] / (fates["500"] + fates["500 accepted"]) < 0.6
    assert 0.012 < fates["dropped"] / 10_000 < 0.028
    assert fates["429"] == 10_000 // (BURST_EVERY + BURST_LENGTH) * BURST_LENGTH
    assert {Book(0, None).fate() for _ in range(5)} == {"200"}


def test_a_message_without_an_id_has_none() -> None:
    assert message_id(b"from=a&to=b") == ""
