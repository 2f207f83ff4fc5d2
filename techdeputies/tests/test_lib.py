"""The small pieces every app leans on."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory, override_settings

from techdeputies.lib import env, money, phones, times
from techdeputies.lib.http import client_ip
from techdeputies.lib.ids import ID_MAX_LENGTH, new_id

CHICAGO = ZoneInfo("America/Chicago")
MOMENT = datetime(2026, 12, 1, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "expected"), [("true", True), ("1", True), ("YES", True), ("off", False), ("", False), ("0", False)]
)
def test_a_flag_reads_the_usual_words(monkeypatch: pytest.MonkeyPatch, word: str, expected: bool) -> None:
    monkeypatch.setenv("DB_HOST_LOCAL", word)

    assert env.flag("DB_HOST_LOCAL") is expected


def test_a_flag_that_is_neither_true_nor_false_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_HOST_LOCAL", "maybe")

    with pytest.raises(ImproperlyConfigured, match="DB_HOST_LOCAL"):
        env.flag("DB_HOST_LOCAL")


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SITE_URL", raising=False)

    with pytest.raises(ImproperlyConfigured, match="SITE_URL"):
        env.text("SITE_URL")


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"DATABASE_URL": "postgres://a@first/x", "DATABASE_URL_REMOTE": "postgres://a@far/x"}, "first"),
        ({"DB_HOST_LOCAL": "true", "DATABASE_URL_LOCAL": "postgres://a@near/x"}, "near"),
        ({"DB_HOST_LOCAL": "false", "DATABASE_URL_REMOTE": "postgres://a@far/x"}, "far"),
        ({"DATABASE_URL_REMOTE": "postgres://a@far/x", "DATABASE_URL_LOCAL": "postgres://a@near/x"}, "far"),
    ],
)
def test_the_database_is_chosen_in_the_documented_order(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], host: str
) -> None:
    for name in ("DATABASE_URL", "DATABASE_URL_LOCAL", "DATABASE_URL_REMOTE", "DB_HOST_LOCAL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert env.database()["HOST"] == host


@pytest.mark.parametrize("bad", ["mysql://a@b/c", "nonsense", "postgres://"])
def test_a_malformed_database_address_is_named(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setenv("DATABASE_URL", bad)

    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        env.database()


def test_a_verified_connection_finds_root_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://a@b/c?sslmode=verify-full")

    assert env.database()["OPTIONS"]["sslrootcert"] == "system"


def test_ids_are_opaque_and_fit_their_column() -> None:
    ids = {new_id() for _ in range(100)}

    assert len(ids) == 100
    assert all(len(value) == 24 and len(value) <= ID_MAX_LENGTH and value[0].isalpha() for value in ids)


@pytest.mark.parametrize(
    ("cents", "sentence", "listed"),
    [(9900, "$99", "$99.00"), (3550, "$35.50", "$35.50"), (0, "$0", "$0.00"), (-4900, "-$49", "-$49.00")],
)
def test_money_in_words(cents: int, sentence: str, listed: str) -> None:
    assert money.money(cents) == sentence
    assert money.money_list(cents) == listed


def test_a_moment_in_words_names_its_zone() -> None:
    assert times.when_words(MOMENT, CHICAGO) == "Tuesday, December 1 at 10:00 AM, Central Time (Chicago)"
    assert times.long_date(MOMENT, CHICAGO) == "Tuesday, December 1, 2026"
    assert times.clock(datetime(2026, 12, 1, 6, 5, tzinfo=UTC), CHICAGO) == "12:05 AM"
    assert times.clock(datetime(2026, 12, 1, 18, 0, tzinfo=UTC), CHICAGO) == "12:00 PM"
    assert times.zone_name(ZoneInfo("Europe/Paris")) == "Paris time"
    assert times.zone_name(ZoneInfo("America/Indiana/Knox")) == "Knox time (Indiana)"
    assert times.zone_name(ZoneInfo("America/Phoenix")) == "Arizona Time (Phoenix)"


def test_each_zone_is_offered_once_under_its_present_name() -> None:
    offered = [*times.US_ZONES, *times.other_zones()]
    names, words = [name for name, _ in offered], [words for _, words in offered]

    assert len(set(names)) == len(names)
    assert len(set(words)) == len(words)
    assert dict(offered)["Europe/Kyiv"] == "Kyiv time"
    assert {"Europe/Kiev", "US/Central", "America/Knox_IN", "Australia/LHI"}.isdisjoint(names)
    assert not any(name.startswith("Antarctica/") for name in names)
    assert all(times.known_zone(name) for name in names)
    assert times.known_zone("US/Central") is not None  # what somebody chose before still works


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("3125550198", "(312) 555-0198"),
        ("312 555 0198", "(312) 555-0198"),
        ("312.555.0198", "(312) 555-0198"),
        ("312\u2013555\u20130198", "(312) 555-0198"),
        ("(312)555-0198", "(312) 555-0198"),
        ("+1 312-555-0198", "(312) 555-0198"),
        ("1 (312) 555-0198", "(312) 555-0198"),
        ("312 555 0198 ext 12", "(312) 555-0198 ext. 12"),
        ("(312) 555-0198 x12", "(312) 555-0198 ext. 12"),
        ("(312) 555-0198 ext. 12", "(312) 555-0198 ext. 12"),
        ("+44 20 7946 0958", "+44 20 7946 0958"),
        ("555-0198", "555-0198"),
        ("112 555 0198", "112 555 0198"),
        ("312 555 0198 after six", "312 555 0198 after six"),
        ("", ""),
    ],
)
def test_a_phone_number_is_written_in_one_way(typed: str, written: str) -> None:
    assert phones.phone_words(typed) == written


@pytest.mark.parametrize("name", ["", "Nowhere/City", "../../etc/passwd", "UTC\x00", "Etc/GMT+5", "x" * 5000])
def test_a_zone_nobody_knows_is_none(name: str) -> None:
    assert times.known_zone(name) is None


@pytest.mark.parametrize(
    ("hops", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "198.51.100.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "198.51.100.1"),
        (1, "junk", "198.51.100.1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ],
)
def test_the_client_s_address_is_the_hop_that_a_trusted_proxy_saw(hops: int, forwarded: str, expected: str) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR=forwarded)

    with override_settings(TRUSTED_PROXY_COUNT=hops):
        assert client_ip(request) == expected
