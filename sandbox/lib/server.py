"""The HTTP side: keep-alive connections, bodies, scripted faults. It knows no route."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import urlsplit

from sandbox.lib.faults import Fault
from sandbox.lib.wire import Request, Response, text_response, typed_response

Answer = Callable[[], Response]
Router = Callable[[Request], tuple[Fault | None, Answer]]
_DRAIN_TIMES = 4  # so much more is read and dropped, so that a sender of a body too big hears the answer


class BadBody(Exception):
    """A body whose length or framing cannot be followed; the connection ends with the answer."""


class Server(ThreadingHTTPServer):
    """A thread per connection; every connection is known, so that all can be cut at once."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], router: Router, *, max_body_bytes: int, log: bool) -> None:
        self.router = router
        self.max_body_bytes = max_body_bytes
        self.log = log
        self.closing = threading.Event()
        self.connection_count = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        # The base class looks up the host's name here, which can take seconds and is used for nothing.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
            self.connection_count += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        started = time.perf_counter()
        try:
            body = self._read_body()
        except BadBody as bad:
            self.close_connection = True
            self._write(text_response(str(bad), 400))
            return
        if body is None:
            self.close_connection = True
            self._write(text_response("Request entity too large", 413))
            return
        target = urlsplit(self.path)
        method = "GET" if self.command == "HEAD" else self.command
        fault, answer = self.server.router(
            Request(method, target.path, target.query, cast(Mapping[str, str], self.headers), body)
        )
        response = self._follow(fault, answer)
        if response is None:
            self._reset()
        else:
            self._write(response)
        if self.server.log:
            spent = (time.perf_counter() - started) * 1000
            words = "reset" if response is None else str(response.status)
            print(f"{self.command} {self.path} {words} {spent:.1f} ms", file=sys.stderr, flush=True)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815

    def _follow(self, fault: Fault | None, answer: Answer) -> Response | None:
        """The answer to give, or None for a reset."""
        if fault is None:
            return self._answer(answer)
        usual = fault.status is None and not fault.reset
        response = self._answer(answer) if fault.accept or usual else None
        if fault.delay_seconds:
            self.server.closing.wait(fault.delay_seconds)
        if fault.reset:
            return None
        if fault.status is None:
            return response
        kind = "application/json; charset=utf-8" if fault.body.startswith("{") else "text/html; charset=utf-8"
        return typed_response(fault.body.encode(), kind, fault.status, dict(fault.headers))

    @staticmethod
    def _answer(answer: Answer) -> Response:
        try:
            return answer()
        except Exception:
            traceback.print_exc()
            return text_response("The stand-in itself broke; see its log.", 500)

    def _read_body(self) -> bytes | None:
        """The whole body; None when it is longer than any message may be."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdecimal()):
            raise BadBody("The length of the body is not a number.")
        wanted = int(length)
        if wanted <= self.server.max_body_bytes:
            body = self.rfile.read(wanted)
            if len(body) < wanted:
                raise BadBody("The body is cut off.")
            return body
        left = min(wanted, _DRAIN_TIMES * self.server.max_body_bytes)
        while left > 0 and (piece := self.rfile.read(min(left, 1 << 20))):
            left -= len(piece)
        return None

    def _read_chunks(self) -> bytes | None:
        pieces: list[bytes] = []
        total = 0
        while True:
            size_text = self.rfile.readline(64).split(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError:
                raise BadBody("The chunked body is malformed.") from None
            if size <= 0:
                while self.rfile.readline(1024).strip():
                    pass
                return b"".join(pieces)
            total += size
            if total > self.server.max_body_bytes:
                return None
            pieces.append(self.rfile.read(size))
            self.rfile.readline(8)

    def _write(self, response: Response) -> None:
        try:
            reason = HTTPStatus(response.status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [
            f"HTTP/1.1 {response.status} {reason}",
            f"Content-Length: {len(response.body)}",
            *(f"{name}: {value}" for name, value in response.headers.items()),
        ]
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        self.wfile.write(head if self.command == "HEAD" else head + response.body)

    def _reset(self) -> None:
        """End the connection with RST, as a crashed server or a cut cable's middle box would."""
        self.close_connection = True
        connection = self.connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what the base class would log is logged, when asked for, in ``_handle``."""
