"""A browser, the site and the mailbox, each once for the tests of a worker; people in front of it, one by one."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import QuietWSGIRequestHandler
from playwright.sync_api import Browser, sync_playwright

from accounts.views import entry, passwords
from emails import wording
from emails.services import breaker, delivery
from sandbox.browser import FLAGS, chromium_path
from sandbox.mailgun import StandIn
from settings_app.services import forget_cache
from techdeputies.lib import fragments
from techdeputies.tests.browser.harness import Visitor

Visitors = Callable[..., Visitor]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser. Playwright keeps an event loop in this thread, which Django would take for an async view."""
    program = chromium_path()
    if program is None:
        pytest.fail("The browser tests need Chromium: install it, or name it in the variable CHROMIUM.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
            yield browser
            browser.close()


@pytest.fixture(scope="package")
def _mailgun_server() -> Iterator[StandIn]:
    with StandIn() as server:
        yield server


@pytest.fixture(scope="package")
def _site_server(django_db_setup: None) -> Iterator[str]:
    """The product behind its own middleware, static files included, on a free port."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler)
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="site")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def point_settings(settings: Any, site: str, mailgun: StandIn) -> None:
    """Let links in mails lead to this site, and mails to this mailbox."""
    settings.SITE_URL = site
    settings.CSRF_TRUSTED_ORIGINS = [site]
    settings.MAILGUN_API_URL = mailgun.url
    settings.ANYMAIL = {**mailgun.anymail, "REQUESTS_TIMEOUT": (3, 10)}


def forget_everything() -> None:
    """What this process and the cache remember from the test before."""
    cache.clear()
    forget_cache()
    fragments.forget_all()
    wording.forget()
    breaker.reset()


@pytest.fixture
def mailgun(_mailgun_server: StandIn) -> StandIn:
    _mailgun_server.clear()
    return _mailgun_server


@pytest.fixture
def site(
    transactional_db: None, _site_server: str, mailgun: StandIn, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The address of the site, over an empty database."""
    forget_everything()
    point_settings(settings, _site_server, mailgun)
    monkeypatch.setattr(delivery, "_claims", itertools.count())
    # Equal timing has its own tests; here nobody waits for it.
    monkeypatch.setattr(entry, "SIGN_UP_SECONDS", 0)
    monkeypatch.setattr(entry, "RESEND_SECONDS", 0)
    monkeypatch.setattr(passwords, "RESET_SECONDS", 0)
    return _site_server


@pytest.fixture
def visitors(chromium: Browser, site: str, mailgun: StandIn) -> Iterator[Visitors]:
    """Opens a fresh browser profile for each call; at the end none may have met a problem."""
    opened: list[Visitor] = []

    def visitor(**screen: Any) -> Visitor:
        opened.append(Visitor.open(chromium, site=site, mailgun=mailgun, **screen))
        return opened[-1]

    yield visitor
    for each in opened:
        each.context.close()
    assert [problem for each in opened for problem in each.problems] == []


@pytest.fixture
def visitor(visitors: Visitors) -> Visitor:
    """One person at a wide screen, with JavaScript."""
    return visitors()


@pytest.fixture(scope="session", autouse=True)
def _cookie_names_fit_plain_http() -> None:
    """A cookie named ``__Host-`` would need https; the tests' settings name it plainly."""
    assert not django_settings.SESSION_COOKIE_SECURE, os.environ.get("DEBUG")
