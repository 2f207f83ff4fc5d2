"""Runs in which something breaks, and whether every mail was accepted exactly once all the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.mail.plant import Plant, Sink
from benchmarks.mail.shape import STOPPED_SHARE, WORKERS, Load
from benchmarks.stage import Stage

APP = "benchmarks.mail.app"
SEED = 20_261_124


@dataclass
class Faulty:
    """What a run with faults left behind."""

    name: str
    jobs: int
    seconds: float
    accepted: int
    doubled: int
    lost: int
    unknown: int
    """Accepted by the sink, and not sent according to the table."""
    retried: int
    events: int
    answers: dict[str, int]


Disturb = Callable[[Plant, float], int]
"""Called over and over with the seconds that have passed; returns how many bad things it did just now."""


def killer(every: float) -> Disturb:
    """kill -9 of one worker after the other, each started again at once."""
    done = 0

    def disturb(plant: Plant, passed: float) -> int:
        nonlocal done
        if passed < every * (done + 1):
            return 0
        victim = done % WORKERS
        done += 1
        plant.kill_worker(victim)
        plant.start_worker(victim)
        return 1

    return disturb


def once(action: Callable[[Plant], None], share: float = 0.25) -> Disturb:
    """Do it one time, when that share of the mails has been accepted."""
    is_done = False
    wanted = -1.0

    def disturb(plant: Plant, _passed: float) -> int:
        nonlocal is_done, wanted
        if is_done:
            return 0
        left = plant.left()
        wanted = left * (1 - share) if wanted < 0 else wanted
        if left > wanted:
            return 0
        is_done = True
        action(plant)
        return 1

    return disturb


def restart_valkey(plant: Plant) -> None:
    servers = plant.stage.servers
    assert servers is not None
    assert servers.valkey is not None
    servers.valkey.stop()
    time.sleep(3)
    servers.valkey.launch()
    servers.valkey.wait_ready()


def restart_postgres(plant: Plant) -> None:
    postgres = plant.stage.postgres
    postgres.stop()
    time.sleep(2)
    postgres.launch()
    postgres.wait_ready()


def mailgun_down(plant: Plant) -> None:
    plant.sink.pause()
    time.sleep(8)
    plant.sink.resume()


def run(
    name: str,
    stage: Stage,
    sink: Sink,
    letter: dict[str, Any],
    *,
    jobs: int,
    disturb: Disturb,
    load: Load,
    faults: bool = False,
    delay_ms: float = 0.0,
    looks_up: bool = True,
) -> Faulty:
    plant = Plant(stage, sink, letter["context"], app=APP, looks_up=looks_up)
    sink.forget(delay_ms=delay_ms, seed=SEED if faults else None)
    occasions = plant.fill(jobs)
    events = 0
    began = time.monotonic()
    with plant.running(with_beat=True):
        while plant.left() and time.monotonic() - began < load.longest:
            events += disturb(plant, time.monotonic() - began)
            time.sleep(0.1)
    seconds = time.monotonic() - began
    facts, sent = sink.facts(), plant.message_ids(occasions)
    accepted: dict[str, int] = facts["accepted"]
    wanted = jobs - jobs // STOPPED_SHARE
    with stage.connect() as connection:
        question = "SELECT coalesce(sum(retry_count), 0) FROM email_jobs WHERE occasion LIKE %s"
        retried = connection.execute(question, [f"{occasions}%"]).fetchone()
    plant.forget()
    return Faulty(
        name=name,
        jobs=wanted,
        seconds=seconds,
        accepted=len(accepted),
        doubled=sum(times - 1 for times in accepted.values()),
        lost=wanted - len(sent & accepted.keys()),
        unknown=len(accepted.keys() - sent),
        retried=int(retried[0]) if retried else 0,
        events=events,
        answers=facts["answers"],
    )


def measure_faults(
    stage: Stage, sink: Sink, letter: dict[str, Any], load: Load, say: Callable[[str], None]
) -> list[Faulty]:
    found = []

    def one(name: str, jobs: int, disturb: Disturb, **options: Any) -> None:
        say(f"{name} …")
        found.append(run(name, stage, sink, letter, jobs=jobs, disturb=disturb, load=load, **options))

    one("Faults, and a worker killed again and again", load.faulty, killer(load.kill_seconds), faults=True)
    control = "The same without look-ups (control)"
    one(control, load.faulty // 4, killer(load.kill_seconds), faults=True, looks_up=False)
    one("Valkey stopped for 3 s", load.rough, once(restart_valkey), delay_ms=20)
    one("PostgreSQL stopped for 2 s", load.rough, once(restart_postgres), delay_ms=20)
    one("Mailgun refuses connections for 8 s", load.rough, once(mailgun_down), delay_ms=20)
    return found
