"""One window of load, with the CPU it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.cpu import cpu_seconds
from benchmarks.load import Outcome, connect_evenly, request, run
from benchmarks.shape import CONNECTIONS
from benchmarks.stage import WebServer
from benchmarks.stats import median, percentile


@dataclass
class Sample:
    """What one window showed. Times in milliseconds, CPU in milliseconds a request."""

    per_second: float
    p50: float
    p95: float
    web_cpu: float
    postgres_cpu: float
    outcome: Outcome

    @property
    def cost(self) -> float:
        """CPU of the web processes and of PostgreSQL, a request."""
        return self.web_cpu + self.postgres_cpu


@dataclass
class Series:
    """The windows of one row, one a round, each with what its yardstick cost right before it."""

    samples: list[Sample] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def add(self, sample: Sample, yardstick: Sample | None = None) -> None:
        self.samples.append(sample)
        if yardstick is not None:
            self.ratios.append(sample.cost / yardstick.cost)

    def middle(self, name: str) -> float:
        """The median over the rounds of one number of a sample."""
        return median(getattr(sample, name) for sample in self.samples)

    @property
    def ratio(self) -> float:
        return median(self.ratios)


class Meter:
    """Measures windows on one machine, and remembers what should not have happened."""

    def __init__(self, postgres_pid: int) -> None:
        self.postgres_pid = postgres_pid
        self.odd: dict[tuple[str, int], bytes] = {}
        self.server_errors = 0
        self.requests = 0

    def window(
        self,
        server: WebServer,
        messages: Iterator[bytes],
        *,
        seconds: float,
        what: str,
        expected: frozenset[int] = frozenset({200}),
        connections: int = CONNECTIONS,
    ) -> Sample:
        opened = connect_evenly(server.port, server.workers, connections, request(server.alive))
        before = cpu_seconds(server.pid, self.postgres_pid)
        outcome = run(server.port, messages, connections=opened, seconds=seconds, expected=expected)
        after = cpu_seconds(server.pid, self.postgres_pid)
        self._note(what, outcome)
        count = max(1, outcome.count)
        web, postgres = (1000 * (end - start) / count for start, end in zip(before, after, strict=True))
        return Sample(
            per_second=outcome.count / outcome.seconds if outcome.seconds else 0.0,
            p50=1000 * percentile(outcome.latencies, 0.50),
            p95=1000 * percentile(outcome.latencies, 0.95),
            web_cpu=web,
            postgres_cpu=postgres,
            outcome=outcome,
        )

    def _note(self, what: str, outcome: Outcome) -> None:
        self.requests += outcome.count
        self.server_errors += sum(count for status, count in outcome.statuses.items() if status >= 500)
        for status, answer in outcome.odd.items():
            self.odd.setdefault((what, status), answer)
