"""What the tests of the staff desk share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import make_admin
from settings_app import services as site_settings


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    """No test reads a setting that another one has changed."""
    site_settings.forget_cache()
    yield
    site_settings.forget_cache()


@pytest.fixture
def staff(db: None) -> User:
    return make_admin(name="Rosa Lopez")


@pytest.fixture
def desk(client: Client, staff: User) -> Client:
    """A browser in which ``staff`` is signed in."""
    client.force_login(staff)
    return client
