"""Bad days: Mailgun, Valkey or PostgreSQL away, or a clock that is wrong. Nothing is lost, nothing is sent twice.

Each rule has its control: the same day without the rule loses or doubles a mail. ``make bench ARGS="--only mail"``
has the same days with real workers and servers that are really stopped.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.core.cache import cache
from django.db import Error, connection
from django.db.models import F
from django.utils import timezone

from emails import gateway
from emails.gateway import Answer, Fate
from emails.models import EmailJob
from emails.services import breaker, delivery, outbox, queue
from emails.tests.factories import make_job
from sandbox.mailgun import Fault, StandIn, faults
from techdeputies.lib import waking

AN_HOUR = timedelta(hours=1)


def time_passes(gap: timedelta = AN_HOUR) -> None:
    """Let the moments of all rows, and the pause of the breaker, be ``gap`` ago."""
    for name in ("available_at", "lease_until", "last_attempt_at"):
        EmailJob.objects.exclude(**{name: None}).update(**{name: F(name) - gap})
    cache.delete(breaker._PAUSE_KEY)
    breaker._paused_until = 0.0
    delivery._claims = itertools.count()


def accepted(mailgun: StandIn) -> Counter[str]:
    return Counter(mail.message_id for mail in mailgun.messages())


def once_each() -> dict[str, int]:
    return {str(job.message_id): 1 for job in EmailJob.objects.all()}


def finish(rounds: int = 6) -> None:
    for _ in range(rounds):
        delivery.drain()
        time_passes()
        delivery.recover()
        time_passes()


# --- Mailgun ----------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_an_hour_without_mailgun_loses_nothing_and_uses_no_try(mailgun: StandIn, settings: Any) -> None:
    settings.EMAIL_SENDER_THREADS = 1
    jobs = [make_job(priority=priority) for _ in range(5) for priority in ("low", "critical", "normal", "high")]

    with mailgun.refusing():
        for _ in range(6):
            delivery.drain()
            assert delivery.recover() == 0
            time_passes(timedelta(minutes=10))
        assert EmailJob.objects.filter(status="queued", retry_count=0).count() == len(jobs)
        assert breaker.is_probing()
    finish(rounds=1)

    assert accepted(mailgun) == once_each()
    assert set(EmailJob.objects.values_list("status", "retry_count")) == {("sent", 0)}
    priority_of = dict(EmailJob.objects.values_list("message_id", "priority"))
    order = [priority_of[mail.message_id] for mail in mailgun.messages()]
    assert order == ["critical"] * 5 + ["high"] * 5 + ["normal"] * 5 + ["low"] * 5


@pytest.mark.django_db
def test_control_a_refusal_taken_for_a_lost_answer_uses_up_the_tries(
    mailgun: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "_judge_network", lambda _error: Answer(Fate.UNSURE, "who knows"))
    for _ in range(4):
        make_job()

    with mailgun.refusing():
        for _ in range(2):
            delivery.drain()
            time_passes()
    delivery.recover()

    assert set(EmailJob.objects.values_list("retry_count", flat=True)) == {1}


def every_other_one_accepted() -> Callable[[], Fault]:
    turn = itertools.count()
    return lambda: faults.accept_then(500) if next(turn) % 2 else faults.status(500)


@pytest.mark.django_db
def test_nothing_but_500s_for_a_while_doubles_nothing(mailgun: StandIn) -> None:
    for _ in range(12):
        make_job(max_retries=5)

    mailgun.always(every_other_one_accepted())
    finish(rounds=2)
    mailgun.always(None)
    finish(rounds=2)

    assert accepted(mailgun) == once_each()
    assert set(EmailJob.objects.values_list("status", flat=True)) == {"sent"}


@pytest.mark.django_db
def test_control_without_look_ups_500s_double_mails(mailgun: StandIn, settings: Any) -> None:
    settings.MAILGUN_READ_API_KEY = ""
    for _ in range(12):
        make_job(max_retries=5)

    mailgun.always(every_other_one_accepted())
    finish(rounds=2)
    mailgun.always(None)
    finish(rounds=2)

    assert max(accepted(mailgun).values()) > 1
    assert set(EmailJob.objects.values_list("status", flat=True)) == {"sent"}


# --- Valkey -----------------------------------------------------------------------------------------------
@pytest.fixture
def no_valkey(settings: Any) -> Iterator[None]:
    """The cache points to a port where nobody listens."""
    default = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:9/0"}
    settings.CACHES = {**settings.CACHES, "default": default}
    yield
    waking.forget_faults()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_valkey")
def test_without_valkey_mail_is_queued_and_goes_out_at_the_next_tick(mailgun: StandIn) -> None:
    cache.set("probe", 1)
    assert cache.get("probe") is None  # the control: it is really gone

    jobs = [
        outbox.enqueue_email(
            template="test_message",
            occasion=f"valkey:{number}",
            to=f"p{number}@example.com",
            context={"asked_at": "now"},
        )
        for number in range(10)
    ]
    report = delivery.drain()  # what the clock of the worker does

    assert report.sent == len(jobs)
    assert accepted(mailgun) == once_each()


# --- PostgreSQL -------------------------------------------------------------------------------------------
def cut_database_connections() -> None:
    """What a restart does to us: every connection to this database ends at once."""
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("host", "port", "user", "password", "dbname") if parameters.get(name)}
    with psycopg.connect(**known, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("looks_up", [True, False])
def test_a_database_that_restarts_in_the_middle_loses_and_doubles_nothing(
    mailgun: StandIn, settings: Any, monkeypatch: pytest.MonkeyPatch, looks_up: bool
) -> None:
    """Without look-ups, and with a settling that does not try again, it is the control: mails go twice."""
    if not looks_up:
        settings.MAILGUN_READ_API_KEY = ""
        settle, calls = queue.settle, itertools.count()

        def forgetful(outcomes: list[Any]) -> int:
            return 0 if next(calls) == 1 else settle(outcomes)

        monkeypatch.setattr(queue, "settle", forgetful)
    for _ in range(60):
        make_job(max_retries=5)
    turns = itertools.count(1)

    def rule() -> Fault | None:
        if looks_up and next(turns) == 20:
            cut_database_connections()
        return faults.slow(0.01)

    mailgun.always(rule)
    try:
        delivery.drain(batch_size=8)
    except Error:
        connection.close()
    mailgun.always(None)
    connection.close()
    finish(rounds=3)

    assert set(EmailJob.objects.values_list("status", flat=True)) == {"sent"}
    if looks_up:
        assert next(turns) > 20
        assert accepted(mailgun) == once_each()
    else:
        assert max(accepted(mailgun).values()) > 1


# --- The clock --------------------------------------------------------------------------------------------
def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


@pytest.mark.django_db
@pytest.mark.parametrize("step", [AN_HOUR, -AN_HOUR])
def test_a_worker_whose_clock_is_an_hour_off_keeps_to_the_databases_clock(mailgun: StandIn, step: timedelta) -> None:
    now = timezone.now()
    due = make_job(available_at=now - timedelta(minutes=1))
    later = make_job(available_at=now + timedelta(minutes=30))
    worthless = make_job(available_at=now - timedelta(minutes=1), expires_at=now - timedelta(seconds=30))
    still_good = make_job(available_at=now - timedelta(minutes=1), expires_at=now + timedelta(minutes=30))

    with time_machine.travel(now + step, tick=True):
        # The control: a queue that asks the worker's own clock takes the wrong rows.
        by_this_clock = EmailJob.objects.filter(available_at__lte=timezone.now()).count()
        assert by_this_clock == (4 if step > timedelta(0) else 0)
        delivery.drain()

    statuses = {job.pk: job.status for job in EmailJob.objects.all()}
    assert statuses == {due.pk: "sent", later.pk: "queued", worthless.pk: "cancelled", still_good.pk: "sent"}
    sent_at = EmailJob.objects.get(pk=due.pk).sent_at
    assert sent_at is not None
    assert abs(sent_at - database_now()) < timedelta(minutes=1)


@pytest.mark.django_db
@pytest.mark.parametrize("step", [AN_HOUR, -AN_HOUR])
def test_a_lease_is_as_long_by_the_databases_clock_whatever_the_workers_says(mailgun: StandIn, step: timedelta) -> None:
    make_job()
    with time_machine.travel(timezone.now() + step, tick=True):
        [claimed] = queue.claim(limit=5)
        job = EmailJob.objects.get(pk=claimed.id)
        assert job.lease_until is not None
        left = job.lease_until - database_now()
        assert timedelta(seconds=queue.LEASE_SECONDS - 30) < left <= timedelta(seconds=queue.LEASE_SECONDS)
        # The control: by the clock of this worker the lease has long run out, or lasts an hour more.
        assert abs(job.lease_until - timezone.now()) > timedelta(minutes=50)
        assert delivery.recover() == 0
        assert delivery.drain().claimed == 0
    assert mailgun.messages() == []
