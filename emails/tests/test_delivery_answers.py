"""What each answer of Mailgun does to its mail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from emails.models import EmailJob
from emails.services import breaker, delivery, queue
from emails.tests.factories import age, make_job
from sandbox.mailgun import StandIn, faults

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_refusal_for_good_fails_at_once(mailgun: StandIn, code: int) -> None:
    job = make_job()
    mailgun.answers(code)

    delivery.drain()

    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("failed", 0)
    assert str(code) in str(job.last_error)


@pytest.mark.parametrize("fault", [401, 402, 403, 404, faults.magnificent(), faults.not_json()])
def test_a_fault_of_the_configuration_keeps_everything_queued(mailgun: StandIn, settings: Any, fault: Any) -> None:
    settings.EMAIL_SENDER_THREADS = 8
    jobs = [make_job() for _ in range(20)]
    mailgun.always(fault)

    delivery.drain(batch_size=5)

    assert EmailJob.objects.filter(status="queued", retry_count=0).count() == len(jobs)
    assert breaker.is_paused()
    # No more posts than threads were in flight when the first answer came.
    assert len(mailgun.calls("messages")) <= 8
    assert delivery.drain().claimed == 0


def test_after_a_fault_one_mail_is_tried_first(mailgun: StandIn) -> None:
    breaker.misconfigured("401: Forbidden")
    breaker.cache.delete("mail:pause")
    breaker._paused_until = 0.0
    for _ in range(3):
        make_job()
    sizes = []
    claim = queue.claim

    def noted(**options: Any) -> list[Any]:
        sizes.append(options["limit"])
        return claim(**options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "claim", noted)
        report = delivery.drain(batch_size=32)

    assert report.sent == 3
    assert sizes == [1, 32]


def test_too_fast_pauses_everybody_and_uses_no_try(mailgun: StandIn) -> None:
    job = make_job()
    mailgun.answers(faults.too_many(7))

    delivery.drain()
    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("queued", 0)
    wait = (job.available_at - timezone.now()).total_seconds()
    assert 5 < wait <= 7
    assert breaker.is_paused()

    breaker.reset()
    age(job, available_at=timedelta(seconds=8))
    delivery.drain()
    job.refresh_from_db()
    assert job.status == "sent"


def test_a_refused_connection_uses_no_try(mailgun: StandIn) -> None:
    job = make_job()
    with mailgun.refusing():
        delivery.drain()
    job.refresh_from_db()

    assert (job.status, job.retry_count) == ("queued", 0)
    assert job.available_at > timezone.now()

    age(job, available_at=timedelta(minutes=1))
    delivery.drain()
    assert len(mailgun.messages()) == 1


def test_five_refused_connections_in_a_row_stop_the_workers(mailgun: StandIn, settings: Any) -> None:
    settings.EMAIL_SENDER_THREADS = 1
    for _ in range(9):
        make_job()
    with mailgun.refusing():
        delivery.drain(batch_size=3)

    assert breaker.is_paused()
    assert EmailJob.objects.filter(status="queued", retry_count=0).count() == 9
    assert EmailJob.objects.filter(last_error__startswith="No connection").count() == 5


UNSURE = {
    "accept then reset": faults.accept_then_reset(),
    "accept then 500": faults.accept_then(500),
    "accept then 502": faults.accept_then(502),
    "accept then silence": faults.slow(3),
}


@pytest.mark.parametrize("fault", UNSURE.values(), ids=UNSURE.keys())
def test_an_accepted_mail_whose_answer_is_lost_is_looked_up_and_not_repeated(mailgun: StandIn, fault: Any) -> None:
    job = make_job()
    mailgun.answers(fault)

    delivery.drain()
    job.refresh_from_db()
    assert job.status == "sending"
    assert delivery.drain().claimed == 0
    assert delivery.recover() == 0  # too early to ask

    age(job, lease_until=timedelta(seconds=61), last_attempt_at=timedelta(seconds=61))
    assert delivery.recover() == 1
    job.refresh_from_db()
    assert (job.status, job.retry_count, job.last_error) == ("sent", 0, None)
    assert job.sent_at is not None
    assert delivery.drain().claimed == 0
    assert len(mailgun.messages()) == 1


@pytest.mark.parametrize("fault", [faults.reset(), faults.status(500), faults.status(503)])
def test_a_mail_that_mailgun_does_not_know_is_sent_again(mailgun: StandIn, fault: Any) -> None:
    job = make_job()
    mailgun.answers(fault)

    delivery.drain()
    age(job, lease_until=timedelta(seconds=61), last_attempt_at=timedelta(seconds=61))
    delivery.recover()
    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("queued", 1)
    first_id = job.message_id
    assert 40 < (job.available_at - timezone.now()).total_seconds() < 80

    age(job, available_at=timedelta(minutes=2))
    delivery.drain()
    job.refresh_from_db()
    assert job.status == "sent"
    assert job.message_id == first_id
    assert len(mailgun.messages()) == 1


def test_a_mail_is_given_up_after_its_tries(mailgun: StandIn) -> None:
    job = make_job(retry_count=3, max_retries=3, content={"context": {"asked_at": "now"}, "secrets": None})
    mailgun.answers(500)

    delivery.drain()
    age(job, lease_until=timedelta(seconds=61))
    delivery.recover()

    job.refresh_from_db()
    assert job.status == "failed"
    assert "Given up after 4 tries" in str(job.last_error)


def test_without_a_read_key_an_unsure_mail_is_sent_again(mailgun: StandIn, settings: Any) -> None:
    settings.MAILGUN_READ_API_KEY = ""
    job = make_job()
    mailgun.answers(500)

    delivery.drain()

    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("queued", 1)


@pytest.mark.parametrize("answer", [500, 401, faults.not_json(), faults.reset()])
def test_while_mailgun_cannot_be_asked_the_mail_is_held(mailgun: StandIn, answer: Any) -> None:
    job = make_job()
    mailgun.answers(faults.accept_then(500))
    mailgun.answers(answer, on="logs")

    delivery.drain()
    age(job, lease_until=timedelta(seconds=61), last_attempt_at=timedelta(seconds=61))
    assert delivery.recover() == 0
    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("sending", 0)

    age(job, lease_until=timedelta(seconds=61))
    assert delivery.recover() == 1
    job.refresh_from_db()
    assert job.status == "sent"


def test_after_a_quarter_of_an_hour_without_an_answer_it_is_sent_again(mailgun: StandIn) -> None:
    job = make_job()
    mailgun.answers(500)
    mailgun.always(500, on="logs")

    delivery.drain()
    age(job, lease_until=timedelta(minutes=16), last_attempt_at=timedelta(minutes=16))
    delivery.recover()

    job.refresh_from_db()
    assert (job.status, job.retry_count) == ("queued", 1)


def test_the_gaps_between_tries_grow_and_are_jittered() -> None:
    for retries, middle in ((1, 60), (2, 480), (3, 3840)):
        gaps = {delivery.back_off(retries) for _ in range(50)}
        assert len(gaps) > 40
        assert middle * 0.75 <= min(gaps) <= max(gaps) <= middle * 1.25


# --- What must not go unseen ----------------------------------------------------------------------------


def loud(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(record.msg["event"]) for record in caplog.records if record.levelname == "ERROR"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("priority", "events"), [("critical", ["mail_address_refused"]), ("normal", [])], ids=["critical", "normal"]
)
def test_critical_mail_to_a_refused_address_is_loud(
    mailgun: StandIn, caplog: pytest.LogCaptureFixture, priority: str, events: list[str]
) -> None:
    job = make_job(priority=priority)
    mailgun.answers(400)

    delivery.drain()

    job.refresh_from_db()
    assert job.status == "failed"
    assert loud(caplog) == events


@pytest.mark.parametrize(
    ("priority", "events"), [("critical", ["mail_critical_expired"]), ("normal", [])], ids=["critical", "normal"]
)
def test_critical_mail_that_could_not_go_in_time_is_loud(
    mailgun: StandIn, caplog: pytest.LogCaptureFixture, priority: str, events: list[str]
) -> None:
    job = make_job(priority=priority, expires_at=timezone.now())

    delivery.drain()

    job.refresh_from_db()
    assert (job.status, job.last_error) == ("cancelled", "expired: it could not be sent in time")
    assert loud(caplog) == events


def test_critical_mail_that_is_given_up_is_loud(mailgun: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    job = make_job(priority="critical", retry_count=3, max_retries=3)
    mailgun.answers(500)

    delivery.drain()
    age(job, lease_until=timedelta(seconds=61))
    delivery.recover()

    assert loud(caplog) == ["mail_given_up"]


def test_the_sign_of_a_dead_process_does_not_hold_the_others_to_one_mail_at_a_time(mailgun: StandIn) -> None:
    for _ in range(3):
        make_job()
    breaker.cache.set("mail:probe", 1, timeout=3600)

    assert delivery.drain().sent == 3

    assert breaker.cache.get("mail:probe") is None
    assert not breaker.is_probing()


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    breaker.slow_down(600)
    breaker.slow_down(1)

    pause = breaker.pause()
    assert pause is not None
    assert pause.seconds > 500


def test_looking_up_takes_no_more_mails_than_threads_ask_at_once(
    mailgun: StandIn, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one round of a Mailgun that hangs would outlast the task, and none of its answers would be kept."""
    settings.EMAIL_SENDER_THREADS = 2
    limits = []
    take_over = queue.take_over

    def noted(*, limit: int) -> list[Any]:
        limits.append(limit)
        return take_over(limit=limit)

    monkeypatch.setattr(queue, "take_over", noted)
    for _ in range(3):
        job = make_job(status="sending", message_id=f"job-{uuid4().hex}@{mailgun.config.domain}", lease_token=uuid4())
        EmailJob.objects.filter(pk=job.pk).update(
            lease_until=timezone.now() - timedelta(minutes=2), last_attempt_at=timezone.now() - timedelta(minutes=4)
        )

    assert delivery.recover() == 3
    assert limits == [2, 2]
