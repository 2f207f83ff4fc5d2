"""A small HTTP/1.1 client that keeps a number of connections busy: one process, one thread, no parsing to speak of.

It costs about 0.05 ms of CPU a request, so that it takes little from the server it shares the machine with.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from urllib.parse import urlencode

HOST = "127.0.0.1"
LONGEST_ANSWER_SECONDS = 30.0
LAST_CHUNK = b"0\r\n\r\n"


class NoAnswer(Exception):
    """The server said nothing for too long, or something that is not HTTP."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    body: bytes


@dataclass
class Outcome:
    """What came back in one window of load."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    odd: dict[int, bytes] = field(default_factory=dict)
    """The first answer of each status that was not expected."""
    bytes_received: int = 0

    @property
    def count(self) -> int:
        return len(self.latencies)


def request(
    path: str,
    *,
    cookies: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    address: str = "203.0.113.7",
) -> bytes:
    """The bytes of one request as a proxy that ended TLS would pass it on; with ``form`` it is a POST."""
    body = urlencode(form).encode() if form is not None else b""
    lines = [
        f"{'GET' if form is None else 'POST'} {path} HTTP/1.1",
        f"Host: {HOST}",
        "X-Forwarded-Proto: https",
        f"X-Forwarded-For: {address}",
        "Accept: text/html",
        "User-Agent: Mozilla/5.0 (bench)",
    ]
    if cookies:
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
    if form is not None:
        lines += [
            f"Origin: https://{HOST}",
            f"Referer: https://{HOST}{path}",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
        ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def json_post(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of one post as a vendor sends it, through the same proxy."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}",
        "X-Forwarded-Proto: https",
        "X-Forwarded-For: 198.51.100.200",
        "User-Agent: Go-http-client/2.0",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def missing_bytes(received: bytes | bytearray) -> int:
    """How many bytes of the answer are still to come; -1 while even its head is not complete, 1 when nobody knows."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return -1
    head = bytes(received[:end]).lower()
    start = head.find(b"\r\ncontent-length:")
    if start < 0:
        if head[9:12] in (b"204", b"304"):
            return 0
        if b"\r\ntransfer-encoding: chunked" in head:
            return 0 if received.endswith(LAST_CHUNK) else 1
        raise NoAnswer(f"An answer without a length: {head[:200]!r}")
    stop = head.find(b"\r\n", start + 2)
    length = int(head[start + 17 : stop if stop >= 0 else None])
    return max(0, end + 4 + length - len(received))


def parse(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "set-cookie":
            key, _, rest = value.strip().partition("=")
            cookies[key] = rest.split(";", 1)[0]
        else:
            headers[name.lower()] = value.strip()
    return Answer(int(first.split(" ", 2)[1]), headers, cookies, body)


def connect(port: int) -> socket.socket:
    opened = socket.create_connection((HOST, port), timeout=LONGEST_ANSWER_SECONDS)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def exchange(connection: socket.socket, message: bytes) -> bytes:
    """Send one request and wait for the whole of its answer."""
    connection.sendall(message)
    received = bytearray()
    while missing_bytes(received) != 0:
        part = connection.recv(65536)
        if not part:
            raise NoAnswer("The server closed the connection in the middle of its answer.")
        received += part
    return bytes(received)


def fetch(port: int, message: bytes) -> Answer:
    """One request on a connection of its own, the answer taken apart."""
    with connect(port) as connection:
        return parse(exchange(connection, message))


def connect_evenly(port: int, workers: Sequence[int], count: int, alive: bytes) -> list[socket.socket]:
    """``count`` connections, the same number held by each worker process.

    Left to chance, one worker often takes nearly all of them, and a window then measures half the server. So each
    worker in turn accepts its share while the others are stopped for a moment; ``alive`` proves that it has.
    """
    shares: list[list[socket.socket]] = []
    for number, worker in enumerate(workers):
        others = [pid for pid in workers if pid != worker]
        share = count * (number + 1) // len(workers) - count * number // len(workers)
        try:
            for pid in others:
                os.kill(pid, signal.SIGSTOP)
            fresh = [connect(port) for _ in range(share)]
            for connection in fresh:
                exchange(connection, alive)
            shares.append(fresh)
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)
    # Mixed, so that the first requests do not all go to one worker.
    return [opened for turn in zip_longest(*shares) for opened in turn if opened is not None]


class _Connection:
    """One busy connection; opened anew when the server has closed it between two requests."""

    __slots__ = ("message", "port", "received", "sent_at", "socket")

    def __init__(self, port: int, opened: socket.socket) -> None:
        self.port = port
        self.received = bytearray()
        self.message = b""
        self.sent_at = 0.0
        self.socket = opened

    def send(self, message: bytes, selector: selectors.BaseSelector) -> None:
        self.message = message
        self.received.clear()
        self.sent_at = time.perf_counter()
        self.socket.sendall(message)
        selector.register(self.socket, selectors.EVENT_READ, self)

    def reopen(self, selector: selectors.BaseSelector) -> None:
        """Send the same request again on a new connection: the server had let go of the old one unused."""
        selector.unregister(self.socket)
        self.socket.close()
        self.socket = connect(self.port)
        self.send(self.message, selector)


def run(
    port: int,
    messages: Iterator[bytes],
    *,
    connections: Sequence[socket.socket],
    seconds: float,
    expected: frozenset[int] = frozenset({200}),
) -> Outcome:
    """Keep the open ``connections`` busy with ``messages`` until they run out or ``seconds`` have passed."""
    outcome = Outcome()
    idle = [_Connection(port, opened) for opened in connections]
    everyone = list(idle)
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        busy = 0
        while idle and (message := next(messages, None)) is not None:
            idle.pop().send(message, selector)
            busy += 1
        while busy:
            ready = selector.select(LONGEST_ANSWER_SECONDS)
            if not ready:
                raise NoAnswer(f"{busy} requests got no answer within {LONGEST_ANSWER_SECONDS:.0f} seconds.")
            for key, _ in ready:
                connection: _Connection = key.data
                part = connection.socket.recv(262144)
                if not part:
                    if connection.received:
                        raise NoAnswer("The server closed the connection in the middle of its answer.")
                    connection.reopen(selector)
                    continue
                connection.received += part
                if missing_bytes(connection.received) != 0:
                    continue
                now = time.perf_counter()
                selector.unregister(connection.socket)
                busy -= 1
                _note(outcome, connection, now, expected)
                if now - began < seconds and (message := next(messages, None)) is not None:
                    connection.send(message, selector)
                    busy += 1
        outcome.seconds = time.perf_counter() - began
    for connection in everyone:
        connection.socket.close()
    return outcome


def _note(outcome: Outcome, connection: _Connection, now: float, expected: frozenset[int]) -> None:
    status = int(connection.received[9:12])
    outcome.latencies.append(now - connection.sent_at)
    outcome.statuses[status] += 1
    outcome.bytes_received += len(connection.received)
    if status not in expected and status not in outcome.odd:
        outcome.odd[status] = bytes(connection.received)
