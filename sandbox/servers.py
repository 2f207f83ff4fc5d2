"""The embedded PostgreSQL and Valkey of one data folder, started and stopped together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from sandbox.account import servers_home
from sandbox.data_folder import DataFolder
from sandbox.environment import has_database, has_redis
from sandbox.postgres import Postgres
from sandbox.valkey import Valkey

# A test run may lose everything at a power cut; it must not wait for the disk.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Servers:
    """The servers for which ``environ`` gives no address. ``folder`` must be open (locked) already."""

    def __init__(
        self,
        folder: DataFolder,
        environ: Mapping[str, str],
        *,
        throwaway: bool = False,
        say: Callable[[str], None] = print,
    ) -> None:
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        if has_database(environ) and has_redis(environ):
            return
        home, account = servers_home(folder.path, say)
        if not has_database(environ):
            self.postgres = Postgres(
                home=home,
                account=account,
                password=folder.secrets()["database_password"],
                log=folder.log("postgres"),
                settings=THROWAWAY if throwaway else None,
                say=say,
            )
        if not has_redis(environ):
            self.valkey = Valkey(home=home, account=account, log=folder.log("valkey"))

    def start(self) -> None:
        """Start both, then wait until both answer."""
        if self.valkey:
            self.valkey.launch()
        if self.postgres:
            self.postgres.launch()
            self.postgres.wait_ready()
        if self.valkey:
            self.valkey.wait_ready()

    def stop(self) -> None:
        if self.valkey:
            self.valkey.stop()
        if self.postgres:
            self.postgres.stop()
        self.tidy()

    def tidy(self) -> None:
        """After the stop: remove the folder of the sockets where it lies in /tmp."""
        for server in (self.postgres, self.valkey):
            if server and server.home not in server.sockets.parents:
                with contextlib.suppress(OSError):
                    server.sockets.rmdir()

    @property
    def env(self) -> dict[str, str]:
        """The addresses, under the names that the settings read."""
        addresses = {}
        if self.postgres:
            addresses["DATABASE_URL"] = self.postgres.url
        if self.valkey:
            addresses["REDIS_URL"] = self.valkey.url
        return addresses

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
