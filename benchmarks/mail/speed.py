"""Mails a second through the queue, beside anymail alone, against the same sink in the same round."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cpu import cpu_seconds
from benchmarks.mail.plant import Plant, Sink, mail_env
from benchmarks.mail.shape import DELAYS_MS, MOST_CONNECTIONS, STOPPED_SHARE, Load
from benchmarks.stage import PRODUCT, Stage
from benchmarks.stats import median


@dataclass
class Drained:
    per_second: float
    worker_cpu: float
    postgres_cpu: float
    connections: int
    bytes_each: float


@dataclass
class Speed:
    """All rounds against one delay."""

    drained: list[Drained] = field(default_factory=list)
    one: list[dict[str, float]] = field(default_factory=list)
    threads: list[dict[str, float]] = field(default_factory=list)

    def ratio_to(self, bare: str) -> float:
        pairs = zip(self.drained, getattr(self, bare), strict=True)
        return median(drained.per_second / loop["per_second"] for drained, loop in pairs)

    def middle(self, name: str) -> float:
        return median(getattr(drained, name) for drained in self.drained)

    def bare(self, kind: str, name: str) -> float:
        return median(loop[name] for loop in getattr(self, kind))


def measure_speed(
    stage: Stage, sink: Sink, letter: dict[str, Any], load: Load, say: Callable[[str], None]
) -> dict[int, Speed]:
    found = {delay: Speed() for delay in DELAYS_MS}
    plant = Plant(stage, sink, letter["context"], app="techdeputies")
    env = mail_env(stage, sink)

    def bare_loop(threads: int, count: int) -> dict[str, float]:
        asked = {name: letter[name] for name in ("subject", "text", "html")}
        asked |= {"threads": threads, "count": count, "domain": env["MAILGUN_SENDER_DOMAIN"]}
        return stage.ask(PRODUCT, "benchmarks.mail.bare_loop", asked, env)

    with plant.running():
        drain(plant, max(2 * STOPPED_SHARE, load.jobs // 20), load)
        for number in range(load.rounds):
            for delay, speed in found.items():
                say(f"Mail, {delay} ms an answer, round {number + 1} of {load.rounds} …")
                sink.forget(delay_ms=delay)
                speed.one.append(bare_loop(1, load.bare[delay]))
                speed.threads.append(bare_loop(MOST_CONNECTIONS // 2, load.bare_threads))
                sink.forget(delay_ms=delay)
                speed.drained.append(drain(plant, load.jobs, load))
                plant.forget()
    return found


def drain(plant: Plant, jobs: int, load: Load) -> Drained:
    run = plant.fill(jobs)
    roots = [child.pid for child in plant.workers.values()]
    before = cpu_seconds(plant.stage.postgres_pid, *roots)
    began = time.perf_counter()
    plant.wake()
    plant.wait_until_done(load.longest)
    seconds = time.perf_counter() - began
    after = cpu_seconds(plant.stage.postgres_pid, *roots)
    spent = [1000 * (end - start) / jobs for start, end in zip(before, after, strict=True)]
    facts, statuses = plant.sink.facts(), plant.statuses(run)
    wanted = {"sent": jobs - jobs // STOPPED_SHARE, "cancelled": jobs // STOPPED_SHARE}
    if statuses != wanted:
        raise RuntimeError(f"The mails ended as {statuses}, not {wanted}.")
    return Drained(
        per_second=wanted["sent"] / seconds,
        worker_cpu=sum(spent[1:]),
        postgres_cpu=spent[0],
        connections=facts["most_open"],
        bytes_each=facts["bytes"] / max(1, sum(facts["accepted"].values())),
    )
