"""The settings of payments: what is refused at the start, and where a person may be sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sandbox.lint import production_env
from sandbox.tests.helpers import ROOT

TELL = (
    "import json; from techdeputies import settings as s;"
    " print(json.dumps([s.STRIPE_API_BASE, s.STRIPE_HOSTED_ORIGINS,"
    " s.CONTENT_SECURITY_POLICY['DIRECTIVES']['form-action']]))"
)
HOSTED = ["https://checkout.stripe.com", "https://billing.stripe.com", "https://invoice.stripe.com"]


def started(**variables: str) -> subprocess.CompletedProcess[str]:
    """The settings of production with some variables changed, read by a process of their own."""
    addresses = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    return subprocess.run(
        [sys.executable, "-c", TELL],
        cwd=ROOT,
        env={**production_env(addresses), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_variable_stripe_itself_is_asked_and_its_pages_are_the_only_ones() -> None:
    for debug in ("0", "1"):
        done = started(DEBUG=debug)

        assert json.loads(done.stdout) == ["https://api.stripe.com", HOSTED, ["'self'", *HOSTED]], done.stderr


def test_in_development_a_stand_in_takes_the_place_of_both_pages() -> None:
    done = started(DEBUG="1", STRIPE_API_BASE="http://127.0.0.1:8026/")

    there = "http://127.0.0.1:8026"
    assert json.loads(done.stdout) == [there, [there], ["'self'", there]], done.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "STRIPE_API_BASE names a stand-in, which needs DEBUG."),
        ({"DEBUG": "1", "STRIPE_SECRET_KEY": "sk_live_1"}, "STRIPE_API_BASE must not be set with a live"),
        ({"DEBUG": "1", "STRIPE_SECRET_KEY": "rk_live_1"}, "STRIPE_API_BASE must not be set with a live"),
    ],
)
def test_a_stand_in_is_refused_where_money_is_real(variables: dict[str, str], words: str) -> None:
    done = started(STRIPE_API_BASE="http://127.0.0.1:8026", **variables)

    assert done.returncode != 0
    assert words in done.stderr
    assert "live_1" not in done.stderr


@pytest.mark.parametrize("name", ["STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRETS"])
def test_a_missing_variable_stops_production_and_is_named(name: str) -> None:
    done = started(**{name: ""})

    assert done.returncode != 0
    assert f"The environment variable {name} is missing." in done.stderr


def test_a_test_run_is_paid_by_a_stand_in() -> None:
    assert os.environ["STRIPE_API_BASE"].startswith("http://127.0.0.1:")
    assert os.environ["STRIPE_WEBHOOK_SECRETS"].startswith("whsec_")
