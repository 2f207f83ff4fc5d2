"""/livez and /readyz: with and without a slash, whatever the host, and while things are down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client, override_settings
from django.urls import reverse

from techdeputies import health
from techdeputies.lib import heartbeat


@pytest.fixture(autouse=True)
def _fresh_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(health, "_all_applied", False)
    heartbeat.beat()
    yield
    for check in (health._database, health._cache, health._workers):
        if check.running is not None:
            check.running.exception(timeout=10)


def replace(monkeypatch: pytest.MonkeyPatch, name: str, ask: Any) -> None:
    monkeypatch.setattr(getattr(health, name), "ask", ask)


@pytest.mark.parametrize("path", ["/livez", "/livez/"])
def test_livez_asks_nothing(client: Client, path: str) -> None:
    response = client.get(path, headers={"host": "nobody.example"})

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert response["Cache-Control"] == "no-store"
    assert "Vary" not in response


@pytest.mark.parametrize("path", ["/readyz", "/readyz/"])
@pytest.mark.django_db(transaction=True)
def test_readyz_says_that_all_is_well(client: Client, path: str) -> None:
    response = client.get(path, headers={"host": "nobody.example"})

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "cache": "ok", "workers": "ok"}


@override_settings(SECURE_SSL_REDIRECT=True)
def test_no_redirect_to_https(client: Client) -> None:
    assert client.get("/livez").status_code == 200


def test_names_lead_to_the_addresses() -> None:
    assert reverse("livez") == "/livez"
    assert reverse("readyz") == "/readyz"


@pytest.mark.parametrize("path", ["/livez", "/readyz/"])
def test_only_reading_is_allowed(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


def test_dead_database_is_not_ready_but_alive(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> str:
        raise OperationalError

    replace(monkeypatch, "_database", refused)

    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["database"] == "unreachable"
    assert response["Retry-After"] == "5"
    assert client.get("/livez").status_code == 200


def frozen() -> str:
    time.sleep(1)
    return "ok"


def test_frozen_database_is_given_up_within_a_second(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SECONDS", 0.2)
    replace(monkeypatch, "_database", frozen)
    began = time.monotonic()

    answers = [client.get("/readyz") for _ in range(2)]

    assert time.monotonic() - began < 0.9
    assert [answer.json()["database"] for answer in answers] == ["no answer", "no answer"]


@pytest.mark.django_db(transaction=True)
def test_missing_migration_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/readyz")
    monkeypatch.setattr(health, "_all_applied", False)
    monkeypatch.setattr(health, "_expected", {*health._expected, ("booking", "9999_not_yet")})

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["database"] == "migrations are missing"


@pytest.mark.django_db(transaction=True)
def test_dead_cache_is_only_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> str:
        raise ConnectionError

    replace(monkeypatch, "_cache", refused)

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "status": "degraded",
        "database": "ok",
        "cache": "unreachable",
        "workers": "unknown",
    }


@pytest.mark.django_db(transaction=True)
def test_silent_workers_are_only_told(client: Client) -> None:
    cache.delete(heartbeat._KEY)

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "degraded", "database": "ok", "cache": "ok", "workers": "late"}
