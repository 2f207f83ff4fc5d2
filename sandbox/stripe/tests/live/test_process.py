"""The stand-in as a process: started, stopped, started again."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import requests
import stripe as library

from sandbox.tests.helpers import stand_in_process

MODULE = "sandbox.stripe"


def test_a_process_takes_its_key_from_the_environment_and_keeps_everything_through_a_kill(tmp_path: Path) -> None:
    with stand_in_process(MODULE, tmp_path, STRIPE_SECRET_KEY="sk_test_a") as (process, url):
        client = library.StripeClient("sk_test_a", base_addresses={"api": url})
        made = client.v1.customers.create({"email": "a@example.net"})
        process.kill()
        process.wait(5)

    with stand_in_process(MODULE, tmp_path, STRIPE_SECRET_KEY="sk_test_a") as (_process, url):
        client = library.StripeClient("sk_test_a", base_addresses={"api": url})
        assert client.v1.customers.retrieve(made.id).email == "a@example.net"


def test_a_signal_ends_it_at_once_and_without_a_word(tmp_path: Path) -> None:
    with stand_in_process(MODULE, tmp_path) as (process, url), requests.Session() as session:
        session.get(f"{url}/healthz", timeout=5)  # a kept-alive connection stays open
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)

        assert process.wait(5) == 0
        assert time.monotonic() - started < 2
        assert process.stderr
        assert process.stderr.read() == ""
