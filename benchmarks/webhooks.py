"""What one post of a vendor costs: new, known already, and badly signed, beside a bare view that stores each."""

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
from benchmarks.stage import SIGNING_KEY, STRIPE_SECRET, Stage, WebServer
from benchmarks.stats import median, number
from benchmarks.table import Target, markdown, verdict
from sandbox.environment import SENDER_DOMAIN

BARE_ADDRESS = "/webhook/"
MOST = {"new": 2.0, "repeated": 1.2, "badly signed": 0.6}


class MailgunPosts:
    """Posts as Mailgun signs them, each about another mail."""

    name, address, table, refused = "Mailgun", "/webhooks/mailgun", "email_webhook_posts", 401

    def __init__(self) -> None:
        self.numbers = count(1)

    def post(self, path: str, *, is_genuine: bool = True) -> bytes:
        number = next(self.numbers)
        timestamp, token = str(int(time.time())), secrets.token_hex(25)
        key = SIGNING_KEY if is_genuine else "wrong"
        signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
        block = {"timestamp": timestamp, "token": token, "signature": signature}
        return json_post(path, json.dumps({"signature": block, "event-data": event(number)}).encode())


class StripePosts:
    """Posts as Stripe signs them, each another event about another subscription."""

    name, address, table, refused = "Stripe", "/webhooks/stripe", "stripe_events", 400

    def __init__(self) -> None:
        self.numbers = count(1)

    def post(self, path: str, *, is_genuine: bool = True) -> bytes:
        body = json.dumps(stripe_event(f"sub_bench{next(self.numbers)}")).encode()
        return json_post(path, body, sign(body, STRIPE_SECRET if is_genuine else "whsec_wrong"))


Posts = MailgunPosts | StripePosts


@dataclass
class WebhookResults:
    posts: Posts
    bare: Series = field(default_factory=Series)
    kinds: dict[str, Series] = field(default_factory=lambda: {kind: Series() for kind in MOST})
    fresh: int = 0
    stored: int = 0
    targets: list[Target] = field(default_factory=list)


def fresh_posts(posts: Posts, path: str, *, is_genuine: bool = True) -> Iterator[bytes]:
    while True:
        yield posts.post(path, is_genuine=is_genuine)


def same_posts(posts: Posts) -> Iterator[bytes]:
    """The same fifty over and over."""
    messages = [posts.post(posts.address) for _ in range(50)]
    while True:
        yield from messages


def sign(body: bytes, secret: str) -> dict[str, str]:
    """The header by which Stripe vouches for a body."""
    timestamp = str(int(time.time()))
    signature = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={timestamp},v1={signature}"}


def stripe_event(subscription: str) -> dict[str, Any]:
    """A change of a subscription, about as long as the true one."""
    item = {
        "id": f"si_{subscription}",
        "object": "subscription_item",
        "current_period_end": 1783005720,
        "current_period_start": 1780413720,
        "metadata": {},
        "price": {
            "id": "price_bench",
            "object": "price",
            "active": True,
            "currency": "usd",
            "lookup_key": "standard_monthly",
            "product": "prod_bench",
            "recurring": {"interval": "month", "interval_count": 1, "meter": None, "usage_type": "licensed"},
            "type": "recurring",
            "unit_amount": 9900,
            "unit_amount_decimal": "9900",
        },
        "quantity": 1,
        "subscription": subscription,
        "tax_rates": [],
    }
    empty = dict.fromkeys(f"field_without_a_value_{number}" for number in range(60))
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "data": {
            "object": {
                "id": subscription,
                "object": "subscription",
                "customer": f"cus_{subscription}",
                "status": "active",
                "items": {"object": "list", "data": [item], "has_more": False},
                "latest_invoice": f"in_{subscription}",
                "metadata": {"user_id": "42", "plan": "standard"},
                **empty,
            },
            "previous_attributes": {"items": {"object": "list", "data": [item]}},
        },
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "customer.subscription.updated",
    }


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
    stage: Stage,
    meter: Meter,
    posts: Posts,
    *,
    product: WebServer,
    bare: WebServer,
    windows: Windows,
    say: Callable[[str], None],
) -> WebhookResults:
    results = WebhookResults(posts)
    before = stored(stage, posts)
    ok, refused = frozenset({200}), frozenset({posts.refused})

    def window(kind: str, seconds: float) -> Any:
        messages = {
            "new": lambda: fresh_posts(posts, posts.address),
            "repeated": lambda: same_posts(posts),
            "badly signed": lambda: fresh_posts(posts, posts.address, is_genuine=False),
        }
        expected = refused if kind == "badly signed" else ok
        what = f"post of {posts.name}, {kind}"
        sample = meter.window(product, messages[kind](), seconds=seconds, what=what, expected=expected)
        if kind == "new":
            results.fresh += sample.outcome.statuses[200]
        elif kind == "repeated":
            results.fresh += min(50, sample.outcome.statuses[200])
        return sample

    def yardstick(seconds: float) -> Any:
        messages = fresh_posts(posts, BARE_ADDRESS)
        return meter.window(bare, messages, seconds=seconds, what="bare webhook", expected=ok)

    for kind in results.kinds:
        window(kind, windows.warm_up / 2)
    yardstick(windows.warm_up / 2)
    for turn in range(windows.rounds):
        say(f"Posts of {posts.name}, round {turn + 1} of {windows.rounds} …")
        for kind, series in results.kinds.items():
            base = yardstick(windows.page)
            results.bare.add(base)
            series.add(window(kind, windows.page), base)
    results.stored = stored(stage, posts) - before
    return results


def stored(stage: Stage, posts: Posts) -> int:
    with stage.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM {posts.table}").fetchone()
    assert row is not None
    return int(row[0])


def webhook_section(results: WebhookResults) -> str:
    """The section of docs/performance.md; fills ``results.targets``."""
    name = results.posts.name
    head = [f"post of {name}", "/s", "p50 ms", "p95 ms", "CPU ms", "+ PG ms", "cost of bare", "at most", "target"]

    def timings(series: Series) -> list[str]:
        names = ("per_second", "p50", "p95", "web_cpu", "postgres_cpu")
        return [number(median(getattr(sample, name) for sample in series.samples)) for name in names]

    rows = [["bare view: JSON read, one row stored", *timings(results.bare), "1 ×", "–", "–"]]
    results.targets.clear()
    for kind, series in results.kinds.items():
        target = Target(f"posts of {name}, {kind}: cost", series.ratio, at_most=MOST[kind], unit=" ×")
        results.targets.append(target)
        rows.append([f"**{kind}**", *timings(series), target.shown, target.bound, verdict([target])])
    wrong = Target(f"posts of {name} stored more or less often than once", abs(results.stored - results.fresh), 0)
    results.targets.append(wrong)
    return f"""## Posts of {name}

{markdown(head, rows)}

*New*: every post is another event. *Repeated*: the same 50 posts over and over. *Badly signed*: new ones, made with
another key and answered {results.posts.refused}. Rows stored, beside new posts: {results.stored:,} of {results.fresh:,}.
The task that applies them does not run here.
"""
