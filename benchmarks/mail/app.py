"""The product's Celery app with short waits, for runs with faults: seconds pass here where an hour does outside.

Nothing of the product is changed on disk: the worker that loads this module waits less, and its clock ticks faster.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from celery.signals import worker_init, worker_process_init

from techdeputies.celery import app

LOOK_UP_SECONDS = 3.0
LEASE_SECONDS = 12
AGAIN_SECONDS = 2.0

app.conf.beat_schedule = {
    "drain": {"task": "emails.tasks.drain_outbox", "schedule": 1.0, "options": {"expires": 5}},
    "recover": {"task": "emails.tasks.recover_stuck", "schedule": 1.0, "options": {"expires": 5}},
}


@worker_init.connect
@worker_process_init.connect
def shorten(**_named: Any) -> None:
    """Wait seconds instead of minutes before a look-up, a second try, and the next try after a fault."""
    from emails.services import breaker, delivery, queue  # noqa: PLC0415 (needs the apps to be ready)

    short: list[tuple[Any, str, Any]] = [
        (delivery, "LOOK_UP_WAIT_SECONDS", LOOK_UP_SECONDS),
        (delivery, "NETWORK_WAIT_SECONDS", AGAIN_SECONDS),
        (delivery, "FAULT_WAIT_SECONDS", AGAIN_SECONDS),
        (delivery, "GIVE_UP_LOOKING", timedelta(seconds=60)),
        (delivery, "back_off", lambda _retries: AGAIN_SECONDS * random.uniform(0.75, 1.25)),
        (queue, "LEASE_SECONDS", LEASE_SECONDS),
        (breaker, "NETWORK_PAUSE_SECONDS", AGAIN_SECONDS),
        (breaker, "FAULT_PAUSE_SECONDS", AGAIN_SECONDS),
    ]
    for module, name, value in short:
        if not hasattr(module, name):
            raise RuntimeError(f"{module.__name__} has no {name} any more: benchmarks/mail/app.py must follow.")
        setattr(module, name, value)
