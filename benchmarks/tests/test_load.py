from __future__ import annotations

import pytest

from benchmarks.load import NoAnswer, missing_bytes, parse, request


def test_an_answer_is_whole_when_its_length_has_arrived() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"

    assert missing_bytes(answer[:20]) == -1
    assert missing_bytes(answer[:-2]) == 2
    assert missing_bytes(answer) == 0
    assert missing_bytes(b"HTTP/1.1 304 Not Modified\r\n\r\n") == 0


def test_an_answer_without_length_is_refused() -> None:
    with pytest.raises(NoAnswer):
        missing_bytes(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")


def test_an_answer_in_chunks_ends_with_an_empty_one() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

    assert missing_bytes(answer) == 0
    assert missing_bytes(answer[:-2]) == 1


def test_an_answer_is_taken_apart() -> None:
    answer = parse(b"HTTP/1.1 302 Found\r\nLocation: /a/\r\nSet-Cookie: x=1=2; Path=/\r\nContent-Length: 0\r\n\r\n")

    assert (answer.status, answer.headers["location"], answer.cookies) == (302, "/a/", {"x": "1=2"})


def test_a_form_is_sent_as_from_our_own_page() -> None:
    message = request("/booking/abc/", cookies={"a": "1", "b": "2"}, form={"topic": "my phone"}).decode()

    assert message.startswith("POST /booking/abc/ HTTP/1.1\r\n")
    assert "Cookie: a=1; b=2\r\n" in message
    assert "Origin: https://127.0.0.1\r\n" in message
    assert message.endswith("Content-Length: 14\r\n\r\ntopic=my+phone")
