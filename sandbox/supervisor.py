"""Keeps a set of services alive, tells what runs, and stops them in order."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.child import Child, StopPlan, last_lines
from sandbox.data_folder import DataFolder
from sandbox.errors import Refusal

SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY_SECONDS = 60.0


@dataclass
class Service:
    """One role: how to start it, how to stop it, and what the state file says of it."""

    role: str
    launch: Callable[[], Child]
    stop_plan: StopPlan
    facts: dict[str, Any] = field(default_factory=dict)
    wait_ready: Callable[[], None] | None = None
    child: Child | None = None
    pause: float = SHORTEST_PAUSE
    started_at: float = 0.0
    due_at: float | None = None

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.due_at = None
        self.child = self.launch()

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(self.stop_plan)

    def plan_restart(self) -> float:
        """Decide when to start again: soon after a long life, later and later after short ones."""
        steady = time.monotonic() - self.started_at > STEADY_SECONDS
        self.pause = SHORTEST_PAUSE if steady else min(self.pause * 2, LONGEST_PAUSE)
        self.due_at = time.monotonic() + self.pause
        return self.pause


class Supervisor:
    """The services of one data folder. Every start happens in the thread that calls, which must be the main one."""

    def __init__(self, folder: DataFolder, say: Callable[[str], None] = print) -> None:
        self.folder, self.say = folder, say
        self.services: list[Service] = []
        self.fixed_facts: dict[str, dict[str, Any]] = {}

    def start(self, *services: Service) -> None:
        """Start ``services`` together, then wait for each that can tell when it is ready."""
        for service in services:
            self.services.append(service)
            service.start()
        self.write_state()
        for service in services:
            if service.wait_ready:
                service.wait_ready()

    def tick(self) -> None:
        """Look after everything once: note deaths, and start again what is due."""
        changed = False
        for service in self.services:
            if service.due_at is None and service.child is not None and not service.child.is_running:
                code = service.child.process.returncode
                service.child.clear_away()
                pause = service.plan_restart()
                log = self.folder.log(service.role)
                self.say(f"{service.role} ended unexpectedly (code {code}) and is started again in {pause:.1f} s.")
                self.say(f"  Its log is {log}, and ends in:\n{last_lines(log, 6)}")
            elif service.due_at is not None and time.monotonic() >= service.due_at:
                try:
                    service.start()
                    changed = True
                except Refusal as refusal:
                    self.say(f"{service.role} could not be started: {refusal}")
                    service.plan_restart()
        if changed:
            self.write_state()

    def write_state(self) -> None:
        state = dict(self.fixed_facts)
        for service in self.services:
            if service.child is not None:
                state[service.role] = {"pid": service.child.pid, **service.facts}
        self.folder.write("state.json", state)

    def stop(self, order: Iterable[Iterable[str]]) -> None:
        """Stop the roles of each group at the same time, one group after the other."""
        for group in order:
            threads = [
                threading.Thread(target=service.stop) for service in self.services if service.role in tuple(group)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


def wait_for_page(url: str, child: Callable[[], Child | None], seconds: float = 60.0) -> None:
    """Return when ``url`` answers 200. Raises Refusal when its program ends, or after ``seconds``."""
    deadline = time.monotonic() + seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        program = child()
        if program is None or not program.is_running:
            raise Refusal(f"The program behind {url} ended before it answered.")
        if time.monotonic() > deadline:
            raise Refusal(f"{url} did not answer within {seconds:.0f} seconds.")
        time.sleep(0.05)
