"""The workers, the clock and the sink of a mail run, and the table they work on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from celery import Celery

from benchmarks.load import fetch
from benchmarks.mail.shape import STOPPED, STOPPED_SHARE, TEMPLATE, WORKERS
from benchmarks.stage import PRODUCT, ROOT, Stage
from sandbox import child as children
from sandbox.child import Child, last_lines
from sandbox.environment import SENDER_DOMAIN, free_port
from sandbox.errors import Refusal
from sandbox.supervisor import wait_for_page

STOP_PLAN = ((signal.SIGTERM, 10.0),)
WAKE_SECONDS = 15.0
LOOK_UP_KEY = "a-key-for-look-ups"

FILL = """
INSERT INTO email_jobs (template_type, occasion, stream, recipient_email, recipient_name, subject, content, priority,
                        available_at, expires_at, created_at, updated_at)
SELECT %(template)s, %(run)s || n, 'service',
       CASE WHEN n %% %(share)s = 0 THEN 'stopped' || n / %(share)s %% %(stopped)s ELSE 'person' || n END
           || '@example.com',
       'Margaret Hill', 'You are booked', jsonb_build_object('context', %(context)s::jsonb),
       (ARRAY['normal', 'high', 'normal', 'low'])[n %% 4 + 1],
       now(), now() + interval '3 days', now(), now()
  FROM generate_series(1, %(count)s) AS n
"""
LEFT = "SELECT count(*) FROM email_jobs WHERE status IN ('queued', 'sending')"


class Sink:
    """The lean Mailgun, as a process of its own."""

    def __init__(self, stage: Stage) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "benchmarks.mail.sink", str(self.port), "0"]
        self.log = stage.folder.log("sink")
        self.command, self.env = command, stage.env
        self.child = self.launch()
        stage.running.callback(self.stop)

    def launch(self) -> Child:
        child = children.start(self.command, role="sink", env=self.env, log=self.log, cwd=ROOT)
        wait_for_page(f"http://127.0.0.1:{self.port}/", lambda: child, seconds=20)
        return child

    def stop(self) -> None:
        self.child.stop(STOP_PLAN)

    def pause(self) -> None:
        """Refuse every connection, as a service does that is down. The process keeps what it knows."""
        self._post("/close", {})

    def resume(self) -> None:
        os.kill(self.child.pid, signal.SIGUSR1)

    def forget(self, *, delay_ms: float = 0.0, seed: int | None = None) -> None:
        self._post("/forget", {"delay": delay_ms / 1000, "seed": seed})

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(fetch(self.port, b"GET /facts HTTP/1.1\r\nHost: sink\r\n\r\n").body)
        return found

    def _post(self, path: str, values: dict[str, Any]) -> None:
        body = json.dumps(values).encode()
        fetch(self.port, b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body)) + body)


class Plant:
    """Everything of one mail run. Workers are started and killed by number."""

    def __init__(self, stage: Stage, sink: Sink, context: dict[str, Any], *, app: str, looks_up: bool = True) -> None:
        self.stage, self.sink, self.context, self.app = stage, sink, context, app
        self.env = mail_env(stage, sink, looks_up=looks_up)
        # Broker addresses as the product's settings write them.
        address = stage.env["REDIS_URL"].replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
        self.broker = Celery("bench", broker=address)
        self.workers: dict[int, Child] = {}
        self.beat: Child | None = None
        self.runs = 0

    # --- processes ------------------------------------------------------------------------------------
    def start_worker(self, number: int) -> None:
        words = ["celery", "-A", self.app, "worker", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        words += ["-Q", "critical,default,bulk", "--concurrency", "1", "-n", f"bench{number}@%h"]
        self.workers[number] = self._start(f"mail{number}", words)

    def _start(self, role: str, words: list[str]) -> Child:
        command = [sys.executable, "-m", *words]
        return children.start(command, role=role, env=self.env, log=self.stage.folder.log(role), cwd=ROOT)

    def kill_worker(self, number: int) -> None:
        """kill -9 of the worker and of its child processes: nobody says good-bye."""
        worker = self.workers.pop(number)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.process.wait()
        worker.clear_away()

    @contextlib.contextmanager
    def running(self, *, with_beat: bool = False) -> Iterator[None]:
        try:
            for number in range(WORKERS):
                self.start_worker(number)
            if with_beat:
                schedule = str(self.stage.path / f"beat-{time.monotonic_ns()}")
                self.beat = self._start("mailbeat", ["celery", "-A", self.app, "beat", "--schedule", schedule])
            else:
                self._wait_for_workers()
            yield
        finally:
            for child in (*self.workers.values(), *([self.beat] if self.beat else [])):
                child.stop(STOP_PLAN)
            self.workers.clear()
            self.broker.close()

    def _wait_for_workers(self) -> None:
        deadline = time.monotonic() + 60
        while len(self.broker.control.ping(timeout=0.5) or []) < WORKERS:
            if time.monotonic() > deadline or not all(child.is_running for child in self.workers.values()):
                log = self.stage.folder.log("mail0")
                raise Refusal(f"The mail workers did not start:\n{last_lines(log, 30)}")

    # --- the table ------------------------------------------------------------------------------------
    def fill(self, count: int) -> str:
        """Queue ``count`` mails at once; the beginning of their occasions."""
        self.runs += 1
        run = f"bench:{time.monotonic_ns()}:"
        values = {
            "template": TEMPLATE,
            "run": run,
            "count": count,
            "share": STOPPED_SHARE,
            "stopped": STOPPED,
            "context": json.dumps(self.context),
        }
        with self.stage.connect() as connection:
            connection.execute(FILL, values)
            connection.execute("ANALYZE email_jobs")
        return run

    def wake(self) -> None:
        for _ in range(WORKERS):
            self.broker.send_task("emails.tasks.drain_outbox", queue="default", expires=60)

    def left(self) -> int:
        """How many mails are not decided; -1 while the database does not answer."""
        try:
            with self.stage.connect() as connection:
                return _one(connection, LEFT)
        except psycopg.OperationalError:
            return -1

    def wait_until_done(self, longest: float) -> None:
        """Wait, waking the workers as often as the product's clock does."""
        deadline = time.monotonic() + longest
        woken = time.monotonic()
        with self.stage.connect() as connection:
            while left := _one(connection, LEFT):
                if time.monotonic() > deadline:
                    log = last_lines(self.stage.folder.log("mail0"), 20)
                    raise Refusal(f"{left:,} mails were still waiting after {longest:.0f} seconds.\n{log}")
                if time.monotonic() - woken > WAKE_SECONDS:
                    self.wake()
                    woken = time.monotonic()
                time.sleep(0.05)

    def statuses(self, run: str) -> dict[str, int]:
        question = "SELECT status, count(*) FROM email_jobs WHERE occasion LIKE %s GROUP BY status"
        with self.stage.connect() as connection:
            return dict(connection.execute(question, [f"{run}%"]).fetchall())

    def message_ids(self, run: str) -> set[str]:
        """Of the mails that count as sent."""
        question = "SELECT message_id FROM email_jobs WHERE occasion LIKE %s AND sent_at IS NOT NULL"
        with self.stage.connect() as connection:
            return {row[0] for row in connection.execute(question, [f"{run}%"])}

    def forget(self) -> None:
        with self.stage.connect() as connection:
            connection.execute("DELETE FROM email_jobs WHERE occasion LIKE 'bench:%%'")
            connection.execute("VACUUM ANALYZE email_jobs")


def mail_env(stage: Stage, sink: Sink, *, looks_up: bool = True) -> dict[str, str]:
    return stage.env | {
        "DJANGO_SETTINGS_MODULE": PRODUCT,
        "MAILGUN_API_URL": f"http://127.0.0.1:{sink.port}/v3",
        "MAILGUN_SENDER_DOMAIN": SENDER_DOMAIN,
        "MAILGUN_READ_API_KEY": LOOK_UP_KEY if looks_up else "",
    }


def _one(connection: psycopg.Connection[Any], question: str) -> int:
    row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return int(row[0])
