"""A worker killed with -9 at any line loses nothing and repeats nothing: real processes, real database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from emails.models import EmailJob
from emails.services import delivery
from emails.tests.factories import make_job
from sandbox.mailgun import StandIn, faults

WORKER = """
import os, signal, sys
import django
django.setup()
from django.db import transaction
from emails import gateway, rendering
from emails.services import delivery, queue

def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(real):
    def both(*args, **options):
        real(*args, **options)
        die()
    return both

def uncommitted(real):
    def both(*args, **options):
        with transaction.atomic():
            real(*args, **options)
            die()
    return both

job, step = sys.argv[1:]
match step:
    case "before the claim commits": queue.claim = uncommitted(queue.claim)
    case "before the claim is read": queue.claim = then_die(queue.claim)
    case "before it is written": rendering.render = die
    case "before the post": gateway.send = die
    case "after the post": gateway.send = then_die(gateway.send)
    case "before the answer is judged": delivery._judge = die
    case "before it is settled": queue.settle = die
    case "before the settling commits": queue.settle = uncommitted(queue.settle)
    case "after it is settled": queue.settle = then_die(queue.settle)
    case "before the take-over commits": queue.take_over = uncommitted(queue.take_over)
    case "after the take-over": queue.take_over = then_die(queue.take_over)
    case "before the look-up": gateway.look_up = die
    case "after the look-up": gateway.look_up = then_die(gateway.look_up)
    case "before the look-up is settled": queue.settle = die
    case "after the look-up is settled": queue.settle = then_die(queue.settle)
    case "never": pass
getattr(delivery, job)()
"""

IN_DRAIN = {
    "before the claim commits": ("queued", False),
    "before the claim is read": ("sending", False),
    "before it is written": ("sending", False),
    "before the post": ("sending", False),
    "after the post": ("sending", True),
    "before the answer is judged": ("sending", True),
    "before it is settled": ("sending", True),
    "before the settling commits": ("sending", True),
    "after it is settled": ("sent", True),
}
"""The status the row is left with, and whether Mailgun has the mail."""

IN_RECOVER = [
    "before the take-over commits",
    "after the take-over",
    "before the look-up",
    "after the look-up",
    "before the look-up is settled",
    "after the look-up is settled",
]


def start_worker(mailgun: StandIn, job: str, step: str) -> subprocess.Popen[bytes]:
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = {
        **os.environ,
        **mailgun.environment,
        "DATABASE_URL": address.geturl(),
        "DJANGO_SETTINGS_MODULE": "techdeputies.settings_test",
    }
    return subprocess.Popen([sys.executable, "-c", WORKER, job, step], env=environment, cwd=settings.BASE_DIR)


def kill_worker(mailgun: StandIn, job: str, step: str) -> None:
    """Run a worker that is killed at ``step``; fail when it got past it."""
    worker = start_worker(mailgun, job, step)
    try:
        assert worker.wait(timeout=60) == -signal.SIGKILL
    finally:
        worker.kill()
        worker.wait()


def let_time_pass() -> None:
    gone_by = timedelta(hours=2)
    for name in ("lease_until", "last_attempt_at", "available_at"):
        EmailJob.objects.filter(**{f"{name}__isnull": False}).update(**{name: F(name) - gone_by})


def finish(job: EmailJob) -> None:
    """What the beat does, until nothing is left to do."""
    for _ in range(2):
        let_time_pass()
        delivery.recover()
        let_time_pass()
        delivery.drain()
    job.refresh_from_db()


def assert_accepted_once(mailgun: StandIn, job: EmailJob) -> None:
    assert job.status == "sent"
    assert job.sent_at is not None
    assert job.lease_token is None
    assert [mail.message_id for mail in mailgun.messages()] == [job.message_id]


@pytest.fixture
def job() -> EmailJob:
    return make_job(available_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", IN_DRAIN)
def test_a_killed_worker_loses_nothing_and_repeats_nothing(mailgun: StandIn, job: EmailJob, step: str) -> None:
    status, is_accepted = IN_DRAIN[step]

    kill_worker(mailgun, "drain", step)

    job.refresh_from_db()
    assert job.status == status
    assert len(mailgun.messages()) == int(is_accepted)
    if status == "sending":
        assert delivery.drain().claimed == 0
        assert delivery.recover() == 0  # its lease has not run out

    finish(job)
    assert_accepted_once(mailgun, job)
    assert job.retry_count == int(status == "sending" and not is_accepted)


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_waits_for_the_answer(mailgun: StandIn, job: EmailJob) -> None:
    mailgun.answers(faults.slow(30))
    worker = start_worker(mailgun, "drain", "never")
    try:
        mailgun.wait_for(to=job.recipient_email, timeout=60)
        worker.send_signal(signal.SIGKILL)
        assert worker.wait(timeout=30) == -signal.SIGKILL
    finally:
        worker.kill()
        worker.wait()

    finish(job)
    assert_accepted_once(mailgun, job)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("was_accepted", [True, False], ids=["accepted", "lost"])
@pytest.mark.parametrize("step", IN_RECOVER)
def test_a_worker_killed_while_it_finds_out(mailgun: StandIn, job: EmailJob, step: str, was_accepted: bool) -> None:
    mailgun.answers(faults.accept_then(500) if was_accepted else 500)
    delivery.drain()
    let_time_pass()

    kill_worker(mailgun, "recover", step)

    finish(job)
    assert_accepted_once(mailgun, job)


@pytest.mark.django_db(transaction=True)
def test_without_the_look_up_the_same_kill_sends_twice(mailgun: StandIn, job: EmailJob, settings: Any) -> None:
    kill_worker(mailgun, "drain", "before it is settled")
    settings.MAILGUN_READ_API_KEY = ""

    finish(job)

    assert job.status == "sent"
    assert [mail.message_id for mail in mailgun.messages()] == [job.message_id] * 2
