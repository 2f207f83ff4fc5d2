"""What one post of Mailgun costs: new, known already, and badly signed, beside a bare view that stores each."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from benchmarks.load import json_post
from benchmarks.measure import Meter, Series
from benchmarks.shape import Windows
from benchmarks.stage import SIGNING_KEY, Stage, WebServer
from benchmarks.stats import median, number
from benchmarks.table import Target, markdown, verdict
from sandbox.environment import SENDER_DOMAIN

ADDRESS, BARE_ADDRESS = "/webhooks/mailgun", "/webhook/"
MOST = {"new": 2.0, "repeated": 1.2, "badly signed": 0.6}


@dataclass
class WebhookResults:
    bare: Series = field(default_factory=Series)
    kinds: dict[str, Series] = field(default_factory=lambda: {kind: Series() for kind in MOST})
    fresh: int = 0
    stored: int = 0
    targets: list[Target] = field(default_factory=list)


class Poster:
    """Posts as Mailgun signs them, each about another mail."""

    def __init__(self) -> None:
        self.numbers = count(1)

    def body(self, key: str = SIGNING_KEY) -> bytes:
        number = next(self.numbers)
        timestamp, token = str(int(time.time())), secrets.token_hex(25)
        signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
        block = {"timestamp": timestamp, "token": token, "signature": signature}
        return json.dumps({"signature": block, "event-data": event(number)}).encode()

    def new(self, path: str = ADDRESS, key: str = SIGNING_KEY) -> Iterator[bytes]:
        while True:
            yield json_post(path, self.body(key))

    def repeated(self) -> Iterator[bytes]:
        """The same fifty over and over."""
        messages = [json_post(ADDRESS, self.body()) for _ in range(50)]
        while True:
            yield from messages


def event(number: int) -> dict[str, Any]:
    recipient = f"person{number}@example.com"
    return {
        "event": "delivered",
        "id": secrets.token_urlsafe(16),
        "timestamp": time.time(),
        "log-level": "info",
        "recipient": recipient,
        "recipient-domain": "example.com",
        "tags": ["booking_confirmed", "service"],
        "campaigns": [],
        "user-variables": {"job_id": str(number)},
        "message": {
            "headers": {
                "to": recipient,
                "message-id": f"job-{number}.{secrets.token_hex(8)}@{SENDER_DOMAIN}",
                "from": f"The Tech Deputies <help@{SENDER_DOMAIN}>",
                "subject": "You are booked: Phones and tablets",
            },
            "attachments": [],
            "size": 12_000,
        },
        "flags": {"is-authenticated": True, "is-test-mode": False},
        "envelope": {"sender": f"no-reply@{SENDER_DOMAIN}", "targets": recipient, "transport": "smtp"},
        "delivery-status": {
            "attempt-no": 1,
            "code": 250,
            "message": "OK",
            "description": None,
            "session-seconds": 0.563,
            "tls": True,
            "mx-host": "mx1.example.com",
        },
    }


def measure_webhooks(
    stage: Stage, meter: Meter, *, product: WebServer, bare: WebServer, windows: Windows, say: Callable[[str], None]
) -> WebhookResults:
    results = WebhookResults()
    poster = Poster()
    before = stored(stage)
    ok, refused = frozenset({200}), frozenset({401})

    def window(kind: str, seconds: float) -> Any:
        messages = {"new": poster.new, "repeated": poster.repeated, "badly signed": lambda: poster.new(key="wrong")}
        expected = refused if kind == "badly signed" else ok
        sample = meter.window(product, messages[kind](), seconds=seconds, what=f"webhook, {kind}", expected=expected)
        if kind == "new":
            results.fresh += sample.outcome.statuses[200]
        elif kind == "repeated":
            results.fresh += min(50, sample.outcome.statuses[200])
        return sample

    def yardstick(seconds: float) -> Any:
        return meter.window(bare, poster.new(BARE_ADDRESS), seconds=seconds, what="bare webhook", expected=ok)

    for kind in results.kinds:
        window(kind, windows.warm_up / 2)
    yardstick(windows.warm_up / 2)
    for turn in range(windows.rounds):
        say(f"Mailgun's posts, round {turn + 1} of {windows.rounds} …")
        for kind, series in results.kinds.items():
            base = yardstick(windows.page)
            results.bare.add(base)
            series.add(window(kind, windows.page), base)
    results.stored = stored(stage) - before
    return results


def stored(stage: Stage) -> int:
    with stage.connect() as connection:
        row = connection.execute("SELECT count(*) FROM email_webhook_posts").fetchone()
    assert row is not None
    return int(row[0])


def webhook_section(results: WebhookResults) -> str:
    """The section of docs/performance.md; fills ``results.targets``."""
    head = ["post of Mailgun", "/s", "p50 ms", "p95 ms", "CPU ms", "+ PG ms", "cost of bare", "at most", "target"]

    def timings(series: Series) -> list[str]:
        names = ("per_second", "p50", "p95", "web_cpu", "postgres_cpu")
        return [number(median(getattr(sample, name) for sample in series.samples)) for name in names]

    rows = [["bare view: JSON read, one row stored", *timings(results.bare), "1 ×", "–", "–"]]
    results.targets.clear()
    for kind, series in results.kinds.items():
        target = Target(f"Mailgun's posts, {kind}: cost", series.ratio, at_most=MOST[kind], unit=" ×")
        results.targets.append(target)
        rows.append([f"**{kind}**", *timings(series), target.shown, target.bound, verdict([target])])
    wrong = Target("Mailgun's posts stored more or less often than once", abs(results.stored - results.fresh), 0)
    results.targets.append(wrong)
    return f"""## Mailgun's posts

{markdown(head, rows)}

*New*: every post is another event about another mail. *Repeated*: the same 50 posts over and over. *Badly signed*: new
ones, made with another key and answered 401. Rows stored, beside new posts: {results.stored:,} of {results.fresh:,}.
The task that applies them does not run here.
"""
