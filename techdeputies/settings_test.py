"""The tests' settings: the product's own, with what would only slow tests or reach outside changed."""

from __future__ import annotations

import os

os.environ.setdefault("DEBUG", "1")

from techdeputies.settings import *  # noqa: F403
from techdeputies.settings import CACHES

DEBUG = False
SECURE_SSL_REDIRECT = False
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
SITE_URL = "http://testserver"
CSRF_TRUSTED_ORIGINS = ["http://testserver"]
CACHES["default"]["KEY_PREFIX"] = "td-test-" + os.environ.get("PYTEST_XDIST_WORKER", "0")
# Static files straight from their folders: a test run collects none.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
