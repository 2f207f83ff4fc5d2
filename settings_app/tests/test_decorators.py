"""The outer limit: exact with many at once, blind to forged headers, and alive without the cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from audit.actors import Actor
from settings_app import services
from settings_app.decorators import rate_limited, wait_words
from settings_app.models import RateLimit

KEY = "limit_reset_per_address"


@rate_limited("reset")
def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    services.forget_cache()
    cache.clear()
    yield
    services.forget_cache()
    cache.clear()


@pytest.fixture
def five(transactional_db: None) -> None:
    services.set_value(KEY, "5", actor=Actor.system())


def post(address: str = "203.0.113.7", **headers: Any) -> HttpResponse:
    request = RequestFactory().post("/", REMOTE_ADDR=address, **headers)
    request.user = AnonymousUser()
    response: HttpResponse = view(request)
    return response


def codes(number: int, **headers: Any) -> list[int]:
    def one(_: int) -> int:
        try:
            return post(**headers).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=20) as threads:
        return list(threads.map(one, range(number)))


@pytest.fixture
def dead_cache(settings: Any) -> None:
    """The cache's address answers nobody."""
    default = settings.CACHES["default"]
    settings.CACHES = {"default": {**default, "LOCATION": "redis://127.0.0.1:1/0"}}


@pytest.mark.usefixtures("five")
class TestLimit:
    def test_of_forty_five_at_once_exactly_five_pass(self) -> None:
        assert sorted(codes(45)) == [200] * 5 + [429] * 40

    @pytest.mark.usefixtures("dead_cache")
    def test_just_as_many_pass_with_the_cache_dead(self) -> None:
        assert sorted(codes(45)) == [200] * 5 + [429] * 40

    def test_a_forged_header_changes_nothing(self) -> None:
        answers = [post(HTTP_X_FORWARDED_FOR=f"198.51.100.{number}").status_code for number in range(8)]

        assert answers == [200] * 5 + [429] * 3

    def test_behind_a_proxy_the_hop_it_wrote_counts(self, settings: Any) -> None:
        settings.TRUSTED_PROXY_COUNT = 1
        forged = [
            post("10.0.0.1", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}, 203.0.113.7").status_code
            for number in range(8)
        ]

        assert forged == [200] * 5 + [429] * 3
        assert post("10.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.8").status_code == 200

    def test_a_household_on_ipv6_counts_as_one(self) -> None:
        answers = [post(f"2001:db8:1:2::{number:x}").status_code for number in range(1, 8)]

        assert answers == [200] * 5 + [429] * 2
        assert post("2001:db8:1:3::1").status_code == 200

    def test_looking_is_free(self) -> None:
        request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.7")
        request.user = AnonymousUser()

        assert [view(request).status_code for _ in range(9)] == [200] * 9
        assert not RateLimit.objects.exists()

    def test_the_answer_tells_the_true_wait(self) -> None:
        for _ in range(6):
            answer = post()

        assert answer.status_code == 429
        assert abs(int(answer["Retry-After"]) - services.remaining_wait(KEY, subject="203.0.113.7")) <= 1
        assert "555-0142" in answer.content.decode()

    def test_a_flood_is_stopped_before_the_database(
        self, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The cache counts in windows of the clock: none may end in the middle of this.
        fixed = time.time()
        monkeypatch.setattr("django_ratelimit.core.time", SimpleNamespace(time=lambda: fixed))
        for _ in range(51):
            post()
        counted = RateLimit.objects.get().attempts

        with django_assert_max_num_queries(1):
            assert post().status_code == 429

        assert RateLimit.objects.get().attempts == counted


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes"), (3600, "1 hour"), (3601, "2 hours")],
)
def test_a_wait_is_told_rounded_up(seconds: int, words: str) -> None:
    assert wait_words(seconds) == words
