"""The shared limit: one bucket for all workers, a part kept back, and each on its own while Redis is down."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from redis.exceptions import ConnectionError as NoRedis

from emails.models import EmailJob
from emails.services import delivery, queue, throttle
from emails.tests.factories import make_job
from sandbox.mailgun import StandIn

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_buckets() -> Iterator[None]:
    throttle.reset()
    yield
    throttle.reset()


def limit_to(monkeypatch: pytest.MonkeyPatch, per_second: float) -> None:
    monkeypatch.setattr(throttle, "rate", lambda: float(per_second))


def test_a_second_is_handed_out_at_most_and_a_fifth_of_it_is_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(monkeypatch, 50)

    assert throttle.take(128) == 40
    assert throttle.take(128) == 0
    assert 10 <= throttle.take(128, urgent=True) <= 15
    assert throttle.take(128, urgent=True) == 0


def test_the_bucket_fills_by_the_clock_of_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(monkeypatch, 100)
    assert throttle.take(500, urgent=True) == 100
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    assert throttle.take(500, urgent=True) == 0

    time.sleep(0.35)

    assert 30 <= throttle.take(500, urgent=True) <= 70


def test_what_was_not_used_can_be_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(monkeypatch, 50)
    taken = throttle.take(30)
    throttle.give_back(taken)

    assert throttle.take(128) == 40
    throttle.give_back(1_000)
    assert throttle.take(128, urgent=True) == 50


def test_crumbs_are_not_handed_out_but_one_mail_is(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(monkeypatch, 50)
    assert throttle.take(37) == 37

    assert throttle.take(128) == 0
    assert throttle.take(1) == 1


@pytest.mark.parametrize("per_second", [1, 2, 3])
def test_a_low_limit_still_lets_ordinary_mail_go(monkeypatch: pytest.MonkeyPatch, per_second: int) -> None:
    limit_to(monkeypatch, per_second)

    assert throttle.take(5) >= 1


def test_no_limit_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(throttle, "_client", lambda: pytest.fail("Redis was asked"))

        assert throttle.take(128) == 128
        throttle.give_back(5)


def test_all_workers_together_get_what_one_would(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(monkeypatch, 60)
    start = threading.Barrier(6)
    granted: list[int] = []

    def run() -> None:
        start.wait(timeout=10)
        granted.extend(throttle.take(6) for _ in range(5))

    began = time.monotonic()
    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 42 <= sum(granted) <= 48 + 60 * (time.monotonic() - began) + 1


def test_without_redis_each_process_goes_on_at_half_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(monkeypatch, 100)
    asked: list[int] = []

    class Dead:
        def eval(self, *args: Any) -> int:
            asked.append(1)
            raise NoRedis

    with monkeypatch.context() as patch:
        patch.setattr(throttle, "_client", lambda: Dead())

        assert throttle.take(500, urgent=True) == 50
        assert throttle.take(500, urgent=True) <= 5
    assert len(asked) == 1  # not asked again for some seconds


# --- In the drain ---------------------------------------------------------------------------------------


def test_a_run_sends_no_faster_than_the_limit_and_all_in_the_end(
    mailgun: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_to(monkeypatch, 40)
    for _ in range(70):
        make_job()

    began = time.monotonic()
    report = delivery.drain()
    seconds = time.monotonic() - began

    assert report.sent == 70
    assert seconds >= (70 - 40 * 0.8) / 40 - 0.2


def test_a_throttled_run_does_not_spin(mailgun: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(monkeypatch, 50)
    assert throttle.take(50, urgent=True) == 50
    monkeypatch.setattr(throttle, "_BUCKET", "return 0")
    make_job()
    asked: list[float] = []
    is_probing = delivery.breaker.is_probing

    def noted() -> bool:
        asked.append(time.monotonic())
        return is_probing()

    monkeypatch.setattr(delivery.breaker, "is_probing", noted)

    report = delivery.drain(seconds=1.0)

    assert (report.sent, report.has_more) == (0, True)
    assert len(asked) <= 15


def test_high_mail_goes_out_of_what_is_kept_back(mailgun: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(monkeypatch, 50)
    monkeypatch.setattr(delivery, "_claims", itertools.count())  # not the tenth claim, which goes by age
    assert throttle.take(40) == 40
    low = make_job(priority="low", available_at=timezone.now())
    high = make_job(priority="high", available_at=timezone.now())
    claims: list[dict[str, Any]] = []
    claim = queue.claim

    def noted(**options: Any) -> list[queue.Job]:
        claims.append(options)
        return claim(**options)

    monkeypatch.setattr(queue, "claim", noted)

    jobs, may_claim = delivery._claim(128, critical_only=False)

    assert [job.id for job in jobs] == [high.pk]
    assert may_claim  # the low one still waits for its turn
    assert claims[0]["lowest_rank"] == queue.URGENT_RANK
    assert EmailJob.objects.get(pk=low.pk).status == "queued"


def test_what_must_not_be_sent_uses_up_nothing(mailgun: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(monkeypatch, 1)
    for _ in range(12):
        make_job(expires_at=timezone.now())

    began = time.monotonic()
    delivery.drain(seconds=5)

    assert EmailJob.objects.filter(status="cancelled").count() == 12
    assert time.monotonic() - began < 3
