"""Everything a run needs, started on free ports of this machine and gone without a trace afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg

from benchmarks.cpu import all_processes, tree
from benchmarks.raw import Pgbench
from sandbox import child as children
from sandbox.child import Child, last_lines
from sandbox.data_folder import DataFolder
from sandbox.environment import SENDER_DOMAIN, free_port
from sandbox.errors import Refusal
from sandbox.postgres import Postgres
from sandbox.servers import Servers
from sandbox.supervisor import wait_for_page

ROOT = Path(__file__).resolve().parent.parent
PRODUCT, BARE = "techdeputies.settings", "benchmarks.bare.settings"
BARE_DATABASE = "yardstick"
SIGNING_KEY = "the-key-of-the-bench"
STRIPE_SECRET = "whsec_bench"
STOP_PLAN = ((signal.SIGTERM, 8.0),)


class WebServer:
    """One gunicorn of two gthread workers with four threads each, as in production."""

    def __init__(self, name: str, child: Child, port: int, alive: str) -> None:
        self.name, self.child, self.port, self.alive = name, child, port, alive
        self.seconds_to_answer = 0.0

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def workers(self) -> list[int]:
        return [process.pid for process in tree(self.pid, all_processes()) if process.pid != self.pid]

    def stop(self) -> None:
        self.child.stop(STOP_PLAN)


class Stage:
    """The servers and databases of one run, in a folder of its own. Use as a context manager."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        # Not made here: the data folder makes itself so that the servers' account may pass through.
        self.path = Path(tempfile.gettempdir()) / f"techdeputies-bench-{os.getpid()}"
        self.folder = DataFolder(self.path)
        self.running = contextlib.ExitStack()
        self.env: dict[str, str] = {}
        self.bare_env: dict[str, str] = {}
        self.servers: Servers | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        homes = {self.path / "servers"}
        pointer = self.path / "servers.path"
        if pointer.is_file():
            homes.add(Path(pointer.read_text().strip()))
        if self.servers and self.servers.postgres:
            homes.add(self.servers.postgres.sockets)
        self.running.close()
        for folder in (*homes, self.path):
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self) -> None:
        self.running.enter_context(self.folder)
        self.servers = Servers(self.folder, {}, say=self.say)
        self.running.enter_context(self.servers)
        secrets = self.folder.secrets()
        self.env = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            **self.servers.env,
            "DEBUG": "0",
            "DATA_DIR": str(self.path),
            "SECRET_KEY": secrets["SECRET_KEY"],
            "SETTINGS_KEYS": secrets["SETTINGS_KEYS"],
            "ALLOWED_HOSTS": "127.0.0.1",
            "SITE_URL": "https://127.0.0.1",
            "TRUSTED_PROXY_COUNT": "1",
            "MAILGUN_API_KEY": "no-mail-is-sent",
            "MAILGUN_WEBHOOK_SIGNING_KEY": SIGNING_KEY,
            "MAILGUN_SENDER_DOMAIN": SENDER_DOMAIN,
            "MAILGUN_API_URL": "http://127.0.0.1:9",
            "DEFAULT_FROM_EMAIL": f"The Tech Deputies <help@{SENDER_DOMAIN}>",
            "MALLOC_MMAP_THRESHOLD_": "4194304",  # as the README says for production
            "STRIPE_SECRET_KEY": "sk_test_bench",
            "STRIPE_PUBLISHABLE_KEY": "pk_test_bench",
            "STRIPE_WEBHOOK_SECRETS": STRIPE_SECRET,
        }
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {BARE_DATABASE}")
        self.bare_env = self.env | {"DATABASE_URL": self._url(BARE_DATABASE)}

    def _url(self, database: str) -> str:
        return urlsplit(self.env["DATABASE_URL"])._replace(path=f"/{database}").geturl()

    def connect(self, database: str = "") -> psycopg.Connection[tuple[Any, ...]]:
        url = self._url(database) if database else self.env["DATABASE_URL"]
        return psycopg.connect(url, autocommit=True)

    @property
    def postgres(self) -> Postgres:
        if self.servers is None or self.servers.postgres is None:
            raise Refusal("The database does not run.")
        return self.servers.postgres

    @property
    def postgres_pid(self) -> int:
        if self.postgres.child is None:
            raise Refusal("The database does not run.")
        return self.postgres.child.pid

    @property
    def pgbench(self) -> Pgbench:
        return Pgbench(self.postgres.install, self.bare_env["DATABASE_URL"])

    def prepare(self) -> None:
        """Migrate and seed the product's database, and collect its static files, as a deployment does."""
        self._finish(["sandbox.prepare"], self.env)
        self._finish(["django", "collectstatic", "--noinput", "--verbosity", "0", "--settings", PRODUCT], self.env)

    def ask(
        self, project: str, module: str, question: object = None, env: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The JSON that ``main()`` of a module of ours prints last inside a Django project."""
        usual = self.bare_env if project == BARE else self.env
        output = self._finish(["benchmarks.inside", project, module], env or usual, json.dumps(question))
        facts: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        return facts

    def _finish(self, words: list[str], env: Mapping[str, str], question: str = "") -> str:
        command = [sys.executable, "-m", *words]
        result = subprocess.run(command, cwd=ROOT, env=dict(env), input=question, capture_output=True, text=True)
        if result.returncode != 0:
            raise Refusal(f"{' '.join(words)} failed:\n{result.stdout[-2000:]}\n{result.stderr[-6000:]}")
        return result.stdout

    def start_web(self, name: str, application: str, alive: str, env: Mapping[str, str] | None = None) -> WebServer:
        port = free_port()
        log = self.folder.log(name)
        command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}"]
        command += ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--no-control-socket"]
        began = time.monotonic()
        child = children.start(command, role=name, env=env or self.env, log=log, cwd=ROOT)
        server = WebServer(name, child, port, alive)
        self.running.callback(server.stop)
        try:
            wait_for_page(f"http://127.0.0.1:{port}{alive}", lambda: child, seconds=30)
        except Refusal as refusal:
            raise Refusal(f"{refusal}\n{last_lines(log, 30)}") from None
        server.seconds_to_answer = time.monotonic() - began
        return server
