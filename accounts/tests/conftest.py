"""A clean slate for what a process and the cache remember."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from accounts import backends
from accounts.views import entry, passwords
from settings_app.services import forget_cache


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    forget_cache()
    monkeypatch.setattr(backends, "_old_cost", None)
    # Equal timing has its own tests; elsewhere nobody waits for it.
    monkeypatch.setattr(entry, "SIGN_UP_SECONDS", 0)
    monkeypatch.setattr(entry, "RESEND_SECONDS", 0)
    monkeypatch.setattr(passwords, "RESET_SECONDS", 0)
