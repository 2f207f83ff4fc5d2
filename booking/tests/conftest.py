"""A clean slate for what a process remembers, and locks to be taken away."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from accounts.models import User
from billing.models import UserSubscription
from billing.services import subscriptions
from booking import version
from booking.models import CalendarEventQuerySet
from booking.services import bookings as bookings_module
from booking.services import places
from booking.tests.racing import WAIT_SECONDS
from settings_app import services as site_settings
from techdeputies.lib import fragments


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    fragments.forget_all()
    version.forget()
    site_settings.forget_cache()


@pytest.fixture
def without_event_lock(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(CalendarEventQuerySet, "locked", lambda self, event_id: self.get(pk=event_id))
    monkeypatch.setattr(places, "LOCK", "")
    for module in (bookings_module, places):
        monkeypatch.setattr(module, "lock_events", lambda event_ids: None)
    return monkeypatch


@pytest.fixture
def without_plan_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody reads the plan as it was, and goes on together."""
    gate = threading.Barrier(2)

    def lock_live(user: User) -> UserSubscription:
        return UserSubscription.objects.select_related("plan").get(user=user)

    real = subscriptions.allowance

    def allowance(subscription: UserSubscription) -> Any:
        counts = real(subscription)
        gate.wait(WAIT_SECONDS)
        return counts

    monkeypatch.setattr(subscriptions, "lock_live", lock_live)
    monkeypatch.setattr(subscriptions, "allowance", allowance)
