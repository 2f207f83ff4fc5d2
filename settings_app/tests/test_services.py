from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tests.factories import make_admin, make_user
from audit.actors import Actor
from audit.models import AdminActionAudit
from settings_app import crypto, services
from settings_app.exceptions import BadSettingValue, UnknownSetting
from settings_app.models import RateLimit, Setting
from settings_app.registry import KNOWN, WINDOW_SECONDS


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    services.forget_cache()
    yield
    services.forget_cache()


@pytest.mark.django_db
class TestValues:
    def test_a_setting_without_a_row_has_its_default(self) -> None:
        assert services.value("booking_notice_hours") == 2

    def test_every_default_fits_its_own_bounds(self) -> None:
        for known in KNOWN.values():
            assert known.read(known.write(known.default)) == known.default

    def test_every_limit_has_a_window(self) -> None:
        assert {key for key in KNOWN if key.startswith("limit_")} == set(WINDOW_SECONDS)

    def test_an_unknown_key_is_refused(self) -> None:
        with pytest.raises(UnknownSetting):
            services.value("no_such_setting")
        with pytest.raises(UnknownSetting):
            services.set_value("no_such_setting", "1", actor=Actor.system())

    def test_a_warm_value_costs_no_query(self) -> None:
        services.value("booking_notice_hours")

        with CaptureQueriesContext(connection) as queries:
            services.value("booking_notice_hours")
            services.business_zone()

        assert len(queries) == 0

    def test_a_change_is_seen_at_once_here_and_written_down(self) -> None:
        staff = make_admin()

        services.set_value("booking_notice_hours", " 5 ", actor=Actor(user=staff))

        assert services.value("booking_notice_hours") == 5
        row = AdminActionAudit.objects.get()
        assert (row.admin, row.action, row.object_id) == (staff, "setting_changed", "booking_notice_hours")
        assert row.details == {"booking_notice_hours": {"before": "2", "after": "5"}}

    def test_another_process_sees_it_within_three_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 1000.0
        monkeypatch.setattr("settings_app.services.time.monotonic", lambda: now)
        assert services.value("booking_notice_hours") == 2
        Setting.objects.create(key="booking_notice_hours", value="7")  # as another process would

        assert services.value("booking_notice_hours") == 2
        now += 3.0
        assert services.value("booking_notice_hours") == 7

    def test_the_same_value_again_records_nothing(self) -> None:
        services.set_value("booking_notice_hours", "5", actor=Actor(user=make_admin()))
        services.set_value("booking_notice_hours", "5", actor=Actor(user=make_admin()))

        assert AdminActionAudit.objects.count() == 1

    def test_reset_goes_back_to_the_default(self) -> None:
        services.set_value("booking_notice_hours", "5", actor=Actor(user=make_admin()))
        services.reset_value("booking_notice_hours", actor=Actor(user=make_admin()))

        assert services.value("booking_notice_hours") == 2
        assert AdminActionAudit.objects.count() == 2

    @pytest.mark.parametrize(
        ("key", "text"),
        [
            ("booking_notice_hours", "-1"),
            ("booking_notice_hours", "soon"),
            ("booking_notice_hours", "9" * 5000),
            ("booking_horizon_days", "0"),
            ("single_visit_price_cents", "10"),
            ("business_time_zone", "Mars/Olympus"),
            ("business_email", "not an address"),
            ("business_email", "a@b.example\r\nBcc: c@d.example"),
            ("business_phone", "call us"),
            ("business_name", ""),
            ("business_name", "Two\nlines"),
            ("business_name", "with \x00"),
        ],
    )
    def test_a_value_out_of_bounds_changes_nothing(self, key: str, text: str) -> None:
        with pytest.raises(BadSettingValue):
            services.set_value(key, text, actor=Actor.system())

        assert not Setting.objects.exists()

    def test_a_stored_value_that_no_longer_fits_gives_way_to_the_default(self) -> None:
        Setting.objects.create(key="booking_notice_hours", value="100000")

        assert services.value("booking_notice_hours") == 2

    def test_a_person_may_have_a_zone_of_their_own(self) -> None:
        assert services.zone_for(make_user(time_zone="America/New_York")) == ZoneInfo("America/New_York")
        assert services.zone_for(make_user(time_zone="")) == ZoneInfo("America/Chicago")
        assert services.zone_for(make_user(time_zone="Nowhere/Here")) == ZoneInfo("America/Chicago")
        assert services.zone_for(None) == ZoneInfo("America/Chicago")


def hits(number: int, **wanted: Any) -> list[services.Hit]:
    """``number`` tries at the same time, each on a connection of its own."""

    def one(_: int) -> services.Hit:
        try:
            return services.hit_limit(**wanted)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=20) as threads:
        return list(threads.map(one, range(number)))


@pytest.mark.django_db(transaction=True)
def test_of_forty_parallel_tries_exactly_the_limit_passes() -> None:
    answers = hits(45, endpoint="login", subject="203.0.113.7", limit=5, window_seconds=60)

    assert [answer.allowed for answer in answers].count(True) == 5
    assert RateLimit.objects.get().attempts == 45


@pytest.mark.django_db(transaction=True)
def test_reading_and_writing_in_two_statements_would_let_more_through() -> None:
    """The control: the same count without the single statement is passed by a crowd."""

    def two_statements(_: int) -> bool:
        try:
            row, _created = RateLimit.objects.get_or_create(
                ip_address="203.0.113.7", endpoint="login", defaults={"attempts": 0}
            )
            seen = RateLimit.objects.get(pk=row.pk).attempts
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.02)")
            RateLimit.objects.filter(pk=row.pk).update(attempts=seen + 1)
            return seen < 5
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=20) as threads:
        passed = list(threads.map(two_statements, range(45)))

    assert passed.count(True) > 5


@pytest.mark.django_db
class TestLimits:
    def test_the_wait_is_what_is_left_of_the_window(self) -> None:
        wanted = {"endpoint": "login", "subject": "203.0.113.7", "limit": 1, "window_seconds": 60}
        services.hit_limit(**wanted)  # type: ignore[arg-type]
        RateLimit.objects.update(window_start=timezone.now() - timedelta(seconds=20))

        answer = services.hit_limit(**wanted)  # type: ignore[arg-type]

        assert not answer.allowed
        assert 39 <= answer.retry_after_seconds <= 41

    def test_a_new_window_starts_at_one(self) -> None:
        wanted = {"endpoint": "login", "subject": "203.0.113.7", "limit": 1, "window_seconds": 60}
        services.hit_limit(**wanted)  # type: ignore[arg-type]
        services.hit_limit(**wanted)  # type: ignore[arg-type]
        RateLimit.objects.update(window_start=timezone.now() - timedelta(seconds=61))

        assert services.hit_limit(**wanted).allowed  # type: ignore[arg-type]
        assert RateLimit.objects.get().attempts == 1

    def test_subjects_and_endpoints_count_apart(self) -> None:
        for endpoint, subject in (("login", "a"), ("login", "b"), ("reset", "a")):
            assert services.hit_limit(endpoint=endpoint, subject=subject, limit=1, window_seconds=60).allowed

    def test_a_counter_can_be_cleared(self) -> None:
        key = "limit_reset_per_account"
        for _ in range(6):
            answer = services.hit_known_limit(key, subject="user:1")
        assert not answer.allowed
        assert services.remaining_wait(key, subject="user:1") > 3590

        services.clear_limit(key, subject="user:1")

        assert services.remaining_wait(key, subject="user:1") == 0
        assert services.hit_known_limit(key, subject="user:1").allowed

    def test_old_counters_are_forgotten(self) -> None:
        services.hit_limit(endpoint="login", subject="new", limit=1, window_seconds=60)
        services.hit_limit(endpoint="login", subject="old", limit=1, window_seconds=60)
        RateLimit.objects.filter(ip_address="old").update(window_start=timezone.now() - timedelta(days=9))

        assert services.forget_old_limits() == 1
        assert RateLimit.objects.get().ip_address == "new"


@pytest.mark.django_db
def test_the_command_seals_secrets_under_the_new_key(settings: Any) -> None:
    old, new = "b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZDE=", "bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldzE="
    settings.SETTINGS_KEYS = [old]
    Setting.objects.create(key="secret", value=crypto.encrypt("s3cret", purpose="setting:secret"), encrypted=True)
    settings.SETTINGS_KEYS = [new, old]

    call_command("rotate_settings_keys", verbosity=0)

    settings.SETTINGS_KEYS = [new]
    assert crypto.decrypt(Setting.objects.get().value or "", purpose="setting:secret") == "s3cret"
