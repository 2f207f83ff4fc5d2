"""A vendor on a port of this machine: what every stand-in can do, whichever vendor it plays."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from sandbox.lib.faults import Fault, Script
from sandbox.lib.server import Answer, Server
from sandbox.lib.webhooks import Sender
from sandbox.lib.wire import Request

KEPT_CALLS = 10_000


class StandIn(ABC):
    """Use as a context manager, or ``start()`` and ``close()``. ``port`` 0 takes a free one."""

    name: str
    max_body_bytes: int

    def __init__(self, host: str, port: int, *, sender: Sender, script: Script, access_log: bool) -> None:
        self._address = (host, port)
        self._access_log = access_log
        self._webhooks = sender
        self._faults = script
        self._calls: deque[Any] = deque(maxlen=KEPT_CALLS)
        self._server: Server | None = None
        self._connections_before = 0

    # --- what a vendor decides ------------------------------------------------------------------------
    @abstractmethod
    def _route(self, request: Request) -> tuple[Fault | None, Answer]:
        """The scripted fault for a request, if there is one, and what gives the usual answer."""

    @abstractmethod
    def _tell_site(self) -> None:
        """Tell the account where it is, now that the port is known."""

    @abstractmethod
    def _close_store(self) -> None:
        """Let go of what is remembered."""

    # --- start and stop -------------------------------------------------------------------------------
    def start(self) -> Self:
        self._listen()
        return self

    def close(self) -> None:
        self._stop_listening()
        self._webhooks.close()
        self._close_store()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> None:
        self._server = Server(self._address, self._route, max_body_bytes=self.max_body_bytes, log=self._access_log)
        self._address = (self._address[0], self._server.server_port)
        self._tell_site()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name=self.name, daemon=True).start()

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._connections_before += self._server.connection_count
            self._server.close()
            self._server = None

    # --- where it is ----------------------------------------------------------------------------------
    @property
    def port(self) -> int:
        return self._address[1]

    @property
    def site(self) -> str:
        """The pages for people."""
        return f"http://{self._address[0]}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections were opened since the start."""
        return self._connections_before + (self._server.connection_count if self._server else 0)

    # --- bad days -------------------------------------------------------------------------------------
    @property
    def answers_left(self) -> int:
        """How many scripted answers have not been used."""
        return self._faults.waiting()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """The vendor cannot be reached: inside, connections are refused and open ones are cut."""
        self._stop_listening()
        try:
            yield
        finally:
            self._listen()

    def disorder(self, *, copies: int = 1, shuffle: int | None = None) -> None:
        """Post each coming event ``copies`` times, and with a seed in ``shuffle`` in another order than they happen."""
        self._webhooks.disorder(copies, shuffle)

    def wait_for_webhooks(self, timeout: float = 10.0) -> bool:
        """Wait until all events are posted or given up; False when that takes longer."""
        return self._webhooks.wait_until_quiet(timeout)
