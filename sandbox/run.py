"""``make run``: the whole product on this machine, until Ctrl-C.

The environment gives PORT (8000), DATA_DIR (.local), and the address of any server or vendor that should not be
embedded or replaced by a stand-in. What runs is written to DATA_DIR/state.json, and the variables of the product's
processes to DATA_DIR/env.json, where ``manage.py`` finds them.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from sandbox import child as children
from sandbox import environment
from sandbox.child import Child
from sandbox.data_folder import DataFolder
from sandbox.errors import Refusal
from sandbox.postgres import STOP_PLAN as POSTGRES_PLAN
from sandbox.servers import Servers
from sandbox.standins import MailgunStandIn, StripeStandIn, VendorStandIn
from sandbox.supervisor import Service, Supervisor, wait_for_page
from sandbox.valkey import STOP_PLAN as VALKEY_PLAN

ROOT = Path(__file__).resolve().parent.parent
STOP_ORDER = (("beat",), ("web", "worker", "worker_critical"), ("mailgun", "stripe"), ("valkey",), ("postgres",))
WORKER_PLAN = ((signal.SIGTERM, 6.0), (signal.SIGQUIT, 12.0))
WEB_PLAN = ((signal.SIGTERM, 10.0),)
PLAIN_PLAN = ((signal.SIGTERM, 5.0),)


class StopAsked(BaseException):
    """Somebody pressed Ctrl-C, sent TERM, or closed the terminal."""


def say(words: str) -> None:
    print(words, flush=True)


def ask_once(_signum: int, _frame: FrameType | None) -> None:
    """The first signal stops us wherever we are; more of them must not break the stopping."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    raise StopAsked


class Run:
    """One running copy."""

    def __init__(self, folder: DataFolder, environ: Mapping[str, str], port: int) -> None:
        self.folder, self.port = folder, port
        self.address = f"http://127.0.0.1:{port}"
        self.environ = dict(environ)
        self.env: dict[str, str] = {}
        self.servers: Servers | None = None
        self.supervisor = Supervisor(folder, say)
        self.supervisor.fixed_facts["supervisor"] = {"pid": os.getpid(), "address": self.address}

    def start(self) -> None:
        secrets = self.folder.secrets()
        servers = self.servers = Servers(self.folder, self.environ, say=say)
        self.env = {
            "DEBUG": "1",
            "SITE_URL": self.address,
            "SECRET_KEY": self.environ.get("SECRET_KEY") or secrets["SECRET_KEY"],
            "SETTINGS_KEYS": self.environ.get("SETTINGS_KEYS") or secrets["SETTINGS_KEYS"],
            **servers.env,
        }
        vendors = self.vendors(secrets)
        self.start_servers(servers, vendors)
        self.folder.write("env.json", self.env)
        self.prepare()
        web = self.web_service()
        self.supervisor.start(web, *self.celery_services())
        wait_for_page(f"{self.address}/livez", lambda: web.child)

    def vendors(self, secrets: Mapping[str, str]) -> list[VendorStandIn]:
        """A stand-in for each vendor of whom no account is given; the product is pointed at them."""
        vendors: list[VendorStandIn] = []
        if not environment.has_mailgun(self.environ):
            port = self.port_near(25)
            self.env |= environment.mailgun_env(secrets, port)
            vendors.append(self.stand_in(MailgunStandIn, port, environment.mailgun_posts_env(self.address)))
        if not environment.has_stripe(self.environ):
            port = self.port_near(26)
            self.env |= environment.stripe_env(secrets, port)
            vendors.append(self.stand_in(StripeStandIn, port, environment.stripe_posts_env(self.address)))
        return vendors

    def port_near(self, distance: int) -> int:
        return environment.free_port(self.port + distance if self.port < 65_000 else 0)

    def stand_in(self, kind: type[VendorStandIn], port: int, posts_env: Mapping[str, str]) -> VendorStandIn:
        return kind(
            port=port,
            data_dir=self.folder.path / kind.role,
            env={**posts_env, **self.process_env()},
            log=self.folder.log(kind.role),
        )

    def start_servers(self, servers: Servers, vendors: Sequence[VendorStandIn]) -> None:
        services = []
        facts: dict[str, Any]
        if (postgres := servers.postgres) is not None:
            facts = {"socket": str(postgres.socket), "address": postgres.url}
            services.append(Service("postgres", postgres.launch, POSTGRES_PLAN, facts, postgres.wait_ready))
        if (valkey := servers.valkey) is not None:
            facts = {"socket": str(valkey.socket), "address": valkey.url}
            services.append(Service("valkey", valkey.launch, VALKEY_PLAN, facts, valkey.wait_ready))
        for vendor in vendors:
            facts = {"port": vendor.port, "address": vendor.address}
            services.append(Service(vendor.role, vendor.launch, PLAIN_PLAN, facts, vendor.wait_ready))
        self.supervisor.start(*services)

    def prepare(self) -> None:
        """Migrate and seed; what the demo data has to tell goes to the person at the keyboard."""
        say("Preparing the database …")
        options = []
        if environment.is_local_database(self.process_env()):
            options.append("--demo")
        else:
            say("The database is on another machine, so no demo data is put into it.")
        command = [sys.executable, "-m", "sandbox.prepare", *options]
        child = children.start(command, role="prepare", env=self.process_env(), cwd=ROOT)
        try:
            code = child.process.wait()
        finally:
            child.stop(PLAIN_PLAN)
        if code != 0:
            raise Refusal("The database could not be prepared; the lines above say why.")

    def process_env(self) -> dict[str, str]:
        return {**self.environ, **self.env, "DATA_DIR": str(self.folder.path), "PYTHONUNBUFFERED": "1"}

    def launcher(self, role: str, *words: str, death_signal: signal.Signals = signal.SIGTERM) -> Callable[[], Child]:
        def launch() -> Child:
            return children.start(
                [sys.executable, "-m", *words],
                role=role,
                env=self.process_env(),
                log=self.folder.log(role),
                cwd=ROOT,
                death_signal=death_signal,
            )

        return launch

    def web_service(self) -> Service:
        launch = self.launcher("web", "gunicorn", "-c", "python:sandbox.gunicorn_conf", "-b", f"127.0.0.1:{self.port}")
        return Service("web", launch, WEB_PLAN, {"port": self.port, "address": self.address})

    def celery_services(self) -> list[Service]:
        worker = [
            "celery",
            "-A",
            "techdeputies",
            "worker",
            "--loglevel",
            "INFO",
            "--without-gossip",
            "--without-mingle",
        ]
        every = ["-Q", "critical,default,bulk", "--concurrency", "2", "-n", f"all-{self.port}@%h"]
        critical = ["-Q", "critical", "--concurrency", "1", "-n", f"critical-{self.port}@%h"]
        schedule = str(self.folder.path / "beat-schedule")
        beat = ["celery", "-A", "techdeputies", "beat", "--loglevel", "INFO", "--schedule", schedule]
        return [
            Service("worker", self.launcher("worker", *worker, *every), WORKER_PLAN),
            Service("worker_critical", self.launcher("worker_critical", *worker, *critical), WORKER_PLAN),
            Service("beat", self.launcher("beat", *beat), PLAIN_PLAN),
        ]

    def welcome(self) -> None:
        state = self.folder.read("state.json")
        say("")
        say(f"The Tech Deputies is running at  {self.address}")
        if "mailgun" in state:
            say(f"Mail it sends is shown at        {state['mailgun']['address']}")
        if "stripe" in state:
            say(f"Practice payments are shown at   {state['stripe']['address']}")
        say(f"Staff enter at                   {self.address}/admin/")
        say(f"Logs are in                      {self.folder.logs}")
        say("Press Ctrl-C to stop everything.")

    def stop(self) -> None:
        self.supervisor.stop(STOP_ORDER)
        if self.servers:
            self.servers.tidy()
        self.folder.forget("state.json", "env.json")


def main(arguments: Sequence[str] = ()) -> int:
    """Run until asked to stop; with ``--stop-with-parent`` also until the starting process is gone."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup has SIGHUP ignored, and that wish stands.
        if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, ask_once)
    parent = os.getppid()
    try:
        with DataFolder(Path(os.environ.get("DATA_DIR", "").strip() or ROOT / ".local")) as folder:
            folder.shorten_logs()
            run = Run(folder, os.environ, environment.chosen_port(os.environ))
            try:
                run.start()
                run.welcome()
                while "--stop-with-parent" not in arguments or os.getppid() == parent:
                    run.supervisor.tick()
                    time.sleep(0.5)
            except StopAsked:
                say("\nStopping …")
            finally:
                run.stop()
            say("Everything has stopped.")
    except StopAsked:
        return 0
    except Refusal as refusal:
        print(refusal, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
