"""A worker killed with -9 between any two steps loses no event: real processes, a real Stripe to ask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F

from accounts.tests.factories import make_user
from billing.models import Payment, StripeEvent, UserSubscription
from billing.services import events, inbox
from billing.tests.buying import buy
from billing.tests.factories import make_plan
from emails.models import EmailJob
from sandbox.stripe import StandIn

WORKER = """
import os, signal, sys
import django
django.setup()
from billing import gateway
from billing.services import events, inbox, payments, syncing

def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(real):
    def both(*args, **options):
        real(*args, **options)
        die()
    return both

match sys.argv[1]:
    case "after the claim": inbox._sorted_out = die
    case "before stripe is asked": gateway.subscription = gateway.invoice = die
    case "after stripe was asked": gateway.subscription = then_die(gateway.subscription)
    case "before the plan is written": syncing._write = die
    case "after the plan is written": syncing._write = then_die(syncing._write)
    case "after the payment is written": payments.record = then_die(payments.record)
    case "before the receipt": syncing.plan_mails.send_receipt = die
    case "before the event is done": inbox._SETTLE = inbox._SETTLE + "AND pg_terminate_backend(pg_backend_pid())"
    case "never": pass
try:
    inbox.apply_waiting()
except Exception:
    die()
"""

STEPS = (
    "after the claim",
    "before stripe is asked",
    "after stripe was asked",
    "before the plan is written",
    "after the plan is written",
    "after the payment is written",
    "before the receipt",
    "before the event is done",
)


def run_worker(stripe: StandIn, step: str) -> int:
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = {
        **os.environ,
        **stripe.environment,
        "DATABASE_URL": address.geturl(),
        "DJANGO_SETTINGS_MODULE": "techdeputies.settings_test",
    }
    worker = subprocess.Popen([sys.executable, "-c", WORKER, step], env=environment, cwd=settings.BASE_DIR)
    try:
        return worker.wait(timeout=120)
    finally:
        worker.kill()
        worker.wait()


@pytest.fixture
def happened(stripe: StandIn) -> None:
    plan = make_plan(name="standard", price_in_cents=9900)
    buy(stripe, make_user(name="Margaret Ellis"), plan)
    for event in stripe.events:
        inbox.store(events.read(event))


def assert_told_once() -> None:
    assert set(StripeEvent.objects.values_list("state", flat=True)) == {"done", "ignored"}
    assert UserSubscription.objects.get().status == "active"
    assert Payment.objects.get().amount_cents == 9900
    assert list(EmailJob.objects.values_list("template_type", flat=True)) == ["plan_started"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("happened")
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_worker_loses_nothing(stripe: StandIn, step: str) -> None:
    assert run_worker(stripe, step) == -signal.SIGKILL

    # What it held is held for a minute; nothing is in two hands.
    assert StripeEvent.objects.filter(state="waiting").exists()
    assert inbox.apply_waiting().claimed == 0
    lease = timedelta(seconds=inbox.LEASE_SECONDS)
    StripeEvent.objects.filter(state="waiting").update(available_at=F("available_at") - lease)
    assert inbox.apply_waiting().failed == 0
    assert_told_once()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("happened")
def test_a_worker_that_lives_does_it_all(stripe: StandIn) -> None:
    """The control: nothing but the kill keeps the work from being done."""
    assert run_worker(stripe, "never") == 0

    assert_told_once()
