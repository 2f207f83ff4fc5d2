"""How late Stripe's events take effect when very many come at once: from the post to the row, with real workers."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from benchmarks.load import fetch, json_post
from benchmarks.shape import BURST_PER_SUBSCRIPTION, BURST_SUBSCRIPTIONS
from benchmarks.stage import PRODUCT, ROOT, STRIPE_SECRET, Stage, WebServer
from benchmarks.stats import number
from benchmarks.table import Target, markdown, verdict
from benchmarks.webhooks import StripePosts, sign, stripe_event
from sandbox import child as children
from sandbox.child import Child, last_lines
from sandbox.environment import free_port
from sandbox.errors import Refusal
from sandbox.standins import StripeStandIn

STOP_PLAN = ((signal.SIGTERM, 10.0),)
POSTERS = 16
LONGEST_WAIT = 300.0
LATENESS = """
SELECT count(*), count(*) FILTER (WHERE state = 'done'),
       percentile_cont(ARRAY[0.5, 0.95, 1.0]) WITHIN GROUP (ORDER BY extract(epoch FROM processed_at - received_at)),
       extract(epoch FROM max(processed_at) - min(received_at))
  FROM stripe_events
"""


@dataclass
class BurstResults:
    events: int
    subscriptions: int
    applied: int
    accepted_seconds: float
    p50: float
    p95: float
    most: float
    done_seconds: float
    looks: int
    targets: list[Target] = field(default_factory=list)


def measure_burst(
    stage: Stage,
    *,
    say: Callable[[str], None],
    subscriptions: int = BURST_SUBSCRIPTIONS,
    per_subscription: int = BURST_PER_SUBSCRIPTION,
) -> BurstResults:
    """Everybody's subscription changes several times within a second or two; one worker of two processes applies it."""
    port = free_port()
    env = stage.env | {
        "DEBUG": "1",  # a stand-in for Stripe serves nowhere else
        "DJANGO_SETTINGS_MODULE": PRODUCT,
        "SITE_URL": "http://127.0.0.1",
        "STRIPE_SECRET_KEY": "sk_test_bench",
        "STRIPE_API_BASE": f"http://127.0.0.1:{port}",
    }
    stand_in = StripeStandIn(port=port, data_dir=stage.path / "stripe", env=env, log=stage.folder.log("stripe"))
    child = stand_in.launch()
    stage.running.callback(child.stop, STOP_PLAN)
    stand_in.wait_ready()
    say(f"{subscriptions} people subscribe …")
    numbers = stage.ask(PRODUCT, "benchmarks.subscribers", {"count": subscriptions}, env)["subscriptions"]
    with stage.connect() as connection:
        connection.execute("DELETE FROM stripe_events")
    web = stage.start_web("burst", "techdeputies.wsgi", "/livez", env)
    worker = _worker(stage, env)
    try:
        say(f"{len(numbers) * per_subscription:,} events at once …")
        seconds = _post(web, [number for _ in range(per_subscription) for number in numbers])
        _wait(stage, worker)
    finally:
        worker.stop(STOP_PLAN)
        web.stop()
    return _results(stage, numbers, seconds)


def _worker(stage: Stage, env: dict[str, str]) -> Child:
    words = ["celery", "-A", "techdeputies", "worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    command = [sys.executable, "-m", *words, "-Q", "default", "--concurrency", "2", "-n", "burst@%h"]
    log = stage.folder.log("burst-worker")
    child = children.start(command, role="burst-worker", env=env, log=log, cwd=ROOT)
    deadline = time.monotonic() + 60
    while "ready." not in "\n".join(last_lines(log, 50).splitlines()):
        if time.monotonic() > deadline or not child.is_running:
            raise Refusal(f"The worker did not start:\n{last_lines(log, 30)}")
        time.sleep(0.2)
    return child


def _post(web: WebServer, numbers: list[str]) -> float:
    """Sixteen connections at a time, as Stripe posts; the seconds until all were accepted."""
    waiting: SimpleQueue[bytes] = SimpleQueue()
    for message in _messages(numbers):
        waiting.put(message)
    refused: list[int] = []

    def work() -> None:
        while True:
            try:
                message = waiting.get_nowait()
            except Empty:
                return
            answer = fetch(web.port, message)
            if answer.status != 200:
                refused.append(answer.status)

    threads = [threading.Thread(target=work) for _ in range(POSTERS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise Refusal(f"{len(refused)} events were not accepted: {sorted(set(refused))}")
    return time.monotonic() - began


def _messages(numbers: list[str]) -> Iterator[bytes]:
    for subscription in numbers:
        body = json.dumps(stripe_event(subscription)).encode()
        yield json_post(StripePosts.address, body, sign(body, STRIPE_SECRET))


def _wait(stage: Stage, worker: Child) -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    with stage.connect() as connection:
        while connection.execute("SELECT 1 FROM stripe_events WHERE state = 'waiting' LIMIT 1").fetchone():
            if time.monotonic() > deadline or not worker.is_running:
                raise Refusal(f"Events still wait:\n{last_lines(stage.folder.log('burst-worker'), 30)}")
            time.sleep(0.1)


def _results(stage: Stage, numbers: list[str], seconds: float) -> BurstResults:
    with stage.connect() as connection:
        row: Any = connection.execute(LATENESS).fetchone()
        looks: Any = connection.execute("SELECT last_value FROM stripe_reads").fetchone()
    events, applied, (p50, p95, most), done = row
    return BurstResults(
        events=events,
        subscriptions=len(numbers),
        applied=applied,
        accepted_seconds=seconds,
        p50=float(p50),
        p95=float(p95),
        most=float(most),
        done_seconds=float(done),
        looks=int(looks[0]),
    )


def burst_section(results: BurstResults) -> str:
    """The section of docs/performance.md; fills ``results.targets``."""
    lost = Target("events of a burst that had no effect", results.events - results.applied, at_most=0)
    results.targets[:] = [lost]
    head = ["burst", "accepted in", "late: half", "late: 95 %", "late: last", "all done after", "not applied", ""]
    cells = [
        f"{results.events:,} events about {results.subscriptions:,} subscriptions",
        *(f"{number(value)} s" for value in (results.accepted_seconds, results.p50, results.p95, results.most)),
        f"{number(results.done_seconds)} s",
        lost.shown,
        verdict([lost]),
    ]
    return f"""## A burst of Stripe's events

{markdown(head, [cells])}

Posted on {POSTERS} connections at once, applied by one worker of two processes on the same two cores, each from the
subscription as the stand-in shows it at that moment. *Late* is from the post's arrival to the end of its work. Several
events about one subscription that wait together are served by one look.
"""
