"""A worker killed with -9 at any line loses nothing and repeats nothing: real processes, real database."""

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
from django.utils import timezone

from emails.models import EmailJob
from emails.services import delivery
from emails.tests.factories import make_job
from sandbox.mailgun import StandIn, faults

WORKER = """
import os, signal, sys
import django
django.setup()
from emails import gateway
from emails.services import delivery, queue

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

step = sys.argv[1]
if step == "before the post":
    gateway.send = die
elif step == "after the answer":
    queue.settle = die
delivery.drain()
"""


def start_worker(mailgun: StandIn, step: str) -> subprocess.Popen[bytes]:
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = {
        **os.environ,
        **mailgun.environment,
        "DATABASE_URL": address.geturl(),
        "DJANGO_SETTINGS_MODULE": "techdeputies.settings_test",
    }
    return subprocess.Popen([sys.executable, "-c", WORKER, step], env=environment, cwd=settings.BASE_DIR)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["before the post", "during the post", "after the answer"])
def test_a_killed_worker_loses_nothing_and_repeats_nothing(mailgun: StandIn, step: str) -> None:
    job = make_job(available_at=timezone.now() - timedelta(seconds=1))
    if step == "during the post":
        mailgun.answers(faults.slow(30))

    worker = start_worker(mailgun, step)
    try:
        if step == "during the post":
            mailgun.wait_for(to=job.recipient_email, timeout=30)
            worker.send_signal(signal.SIGKILL)
        assert worker.wait(timeout=30) == -signal.SIGKILL
    finally:
        worker.kill()
        worker.wait()
    job.refresh_from_db()
    assert job.status == "sending"
    assert delivery.drain().claimed == 0
    assert delivery.recover() == 0  # its lease has not run out

    gone_by = timedelta(minutes=3)
    EmailJob.objects.update(lease_until=F("lease_until") - gone_by, last_attempt_at=F("last_attempt_at") - gone_by)
    assert delivery.recover() == 1
    EmailJob.objects.filter(status="queued").update(available_at=F("available_at") - gone_by)
    delivery.drain()

    job.refresh_from_db()
    assert job.status == "sent"
    assert job.retry_count == (1 if step == "before the post" else 0)
    assert [mail.message_id for mail in mailgun.messages()] == [job.message_id]
