"""A lean Mailgun for measuring: ``python -m benchmarks.mail.sink PORT DELAY_MS [FAULTS_SEED]``.

One process, one event loop, kept connections. It reads no more of a message than its Message-Id, so that it takes
little of the machine that is measured. It counts what it accepted by id, and answers look-ups from that.
With a seed it has bad days: 5 % of posts are answered with 500 (every second one accepted), 2 % lose the connection
after acceptance, and after each 1,000 posts the next 20 get 429.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from typing import Any

ERROR_SHARE, DROP_SHARE = 0.05, 0.02
BURST_EVERY, BURST_LENGTH = 1_000, 20
_MARK = b'name="h:Message-Id"'
_MARK_URLENCODED = b"h%3AMessage-Id="
_JSON = b"Content-Type: application/json\r\n"
_TOO_MANY = b'{"message": "Domain is not allowed to send: recipient limit exceeded, try again after 1 seconds"}'


class Book:
    """What was accepted, and how the sink was used."""

    def __init__(self, delay: float, seed: int | None) -> None:
        self.forget(delay, seed)

    number = 0

    def forget(self, delay: float, seed: int | None) -> None:
        """Start anew. Connections that stay open are counted again with their next message."""
        self.number += 1
        self.delay = delay
        self.random = None if seed is None else random.Random(seed)
        self.accepted: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.connections = self.open = self.most_open = self.posts = self.bytes = self.limited = 0
        self.first_at = self.last_at = 0.0

    def fate(self) -> str:
        """What becomes of the next post: "200", "500", "500 accepted", "dropped" or "429"."""
        if self.random is None:
            return "200"
        if self.limited:
            self.limited -= 1
            return "429"
        self.posts += 1
        if self.posts % BURST_EVERY == 0:
            self.limited = BURST_LENGTH
        drawn = self.random.random()
        if drawn < ERROR_SHARE:
            return "500 accepted" if drawn < ERROR_SHARE / 2 else "500"
        return "dropped" if drawn < ERROR_SHARE + DROP_SHARE else "200"

    def accept(self, message_id: str, size: int) -> None:
        self.last_at = time.monotonic()
        self.first_at = self.first_at or self.last_at
        self.accepted[message_id] += 1
        self.bytes += size

    def facts(self) -> dict[str, Any]:
        return {
            "accepted": dict(self.accepted),
            "answers": dict(self.answers),
            "connections": self.connections,
            "most_open": self.most_open,
            "seconds": self.last_at - self.first_at,
            "bytes": self.bytes,
        }


class Connection(asyncio.Protocol):
    """One kept connection; requests come one after the other, as clients of HTTP/1.1 send them."""

    def __init__(self, book: Book, door: Door) -> None:
        self.book, self.door = book, door
        self.counted_in: int | None = None
        self.received = bytearray()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.door.inside.add(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.transport is not None:
            self.door.inside.discard(self.transport)
        self.transport = None
        if self.counted_in == self.book.number:
            self.book.open -= 1

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.received[:end])
            length = content_length(head)
            whole = end + 4 + length
            if len(self.received) < whole:
                return
            body = bytes(self.received[end + 4 : whole])
            del self.received[:whole]
            self.handle(head.split(b"\r\n", 1)[0], body)

    def handle(self, line: bytes, body: bytes) -> None:
        if b"/messages " in line:
            self.count()
            self.message(body)
        elif b"/v1/analytics/logs " in line:
            self.look_up(body)
        elif line.startswith(b"GET /facts "):
            self.answer(json.dumps(self.book.facts()).encode())
        elif line.startswith(b"POST /forget "):
            self.book.forget(**json.loads(body))
            self.answer(b"{}")
        elif line.startswith(b"POST /close "):
            self.answer(b"{}")
            self.door.shut()
        else:
            self.answer(b"ok")

    def count(self) -> None:
        """Connections count from their first message, so that ours for questions are left out."""
        if self.counted_in != self.book.number:
            self.counted_in = self.book.number
            self.book.connections += 1
            self.book.open += 1
            self.book.most_open = max(self.book.most_open, self.book.open)

    def message(self, body: bytes) -> None:
        fate = self.book.fate()
        self.book.answers[fate] += 1
        found = message_id(body)
        if fate in ("200", "500 accepted", "dropped"):
            self.book.accept(found, len(body))
        if self.book.delay:
            asyncio.get_running_loop().call_later(self.book.delay, self.reply, fate, found)
        else:
            self.reply(fate, found)

    def reply(self, fate: str, found: str) -> None:
        if fate == "dropped":
            if self.transport is not None:
                self.transport.abort()
        elif fate == "429":
            self.answer(_TOO_MANY, b"429 Too Many Requests")
        elif fate.startswith("500"):
            self.answer(b'{"message": "Internal Server Error"}', b"500 Internal Server Error")
        else:
            self.answer(b'{"id": "<%s>", "message": "Queued. Thank you."}' % found.encode())

    def look_up(self, body: bytes) -> None:
        wanted = [
            value["value"]
            for condition in json.loads(body)["filter"]["AND"]
            if condition["attribute"] == "message_id"
            for value in condition["values"]
        ]
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        items = [
            {"event": "accepted", "@timestamp": moment, "message": {"headers": {"message-id": name}}}
            for name in wanted
            if name in self.book.accepted
        ]
        self.book.answers["look-up"] += 1
        self.answer(json.dumps({"items": items, "pagination": {"total": len(items), "next": ""}}).encode())

    def answer(self, body: bytes, status: bytes = b"200 OK") -> None:
        if self.transport is not None:
            head = b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, _JSON, len(body))
            self.transport.write(head + body)


def content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(b"\r\ncontent-length:")
    if start < 0:
        return 0
    return int(lowered[start + 17 :].split(b"\r\n", 1)[0])


def message_id(body: bytes) -> str:
    """Our Message-Id without its brackets; "" when there is none."""
    if (start := body.find(_MARK)) >= 0:
        value = body[start + len(_MARK) :].split(b"\r\n\r\n", 1)[1].split(b"\r\n", 1)[0]
    elif (start := body.find(_MARK_URLENCODED)) >= 0:
        value = body[start + len(_MARK_URLENCODED) :].split(b"&", 1)[0].replace(b"%40", b"@")
        value = value.replace(b"%3C", b"<").replace(b"%3E", b">")
    else:
        return ""
    return value.decode().strip("<> ")


class Door:
    """The listening socket: shut, nobody gets in and who is inside is cut off; SIGUSR1 opens it again."""

    def __init__(self, port: int, book: Book) -> None:
        self.port, self.book = port, book
        self.inside: set[asyncio.Transport] = set()
        self.server: asyncio.Server | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(
            lambda: Connection(self.book, self), "127.0.0.1", self.port, backlog=256, reuse_address=True
        )

    def open_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self.open())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def shut(self) -> None:
        if self.server is not None:
            self.server.close()
        for transport in list(self.inside):
            transport.close()


async def serve(door: Door) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, door.open_soon)
    await door.open()
    await asyncio.Event().wait()


def main() -> None:
    port, delay, *seed = sys.argv[1:]
    asyncio.run(serve(Door(int(port), Book(float(delay) / 1000, int(seed[0]) if seed else None))))


if __name__ == "__main__":
    main()
