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
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import connection, connections
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.test import override_settings
from django.test.testcases import QuietWSGIRequestHandler
from playwright.sync_api import Browser, sync_playwright
from pytest_django import DjangoDbBlocker

from accounts.views import entry, passwords
from billing.gateway import client
from emails import wording
from emails.services import breaker, delivery
from sandbox.browser import FLAGS, chromium_path
from sandbox.mailgun import StandIn
from sandbox.stripe import StandIn as StripeStandIn
from settings_app.services import forget_cache
from techdeputies.lib import fragments
from techdeputies.tests.browser.harness import Visitor

Visitors = Callable[..., Visitor]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser. Playwright keeps an event loop in this thread, which Django takes for an async view.

    So Django must be told to go on, and opens a second database connection, as it does for async code.
    """
    program = chromium_path()
    if program is None:
        pytest.fail("The browser tests need Chromium: install it, or name it in the variable CHROMIUM.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
            yield browser
            connections.close_all()
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


@pytest.fixture(scope="package")
def _stripe_server(_site_server: str) -> Iterator[StripeStandIn]:
    """The stand-in for Stripe, with its pages for buyers; it posts to the site by itself."""
    with StripeStandIn(webhook_url=f"{_site_server}/webhooks/stripe") as server:
        yield server


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
def stripe(site: str, _stripe_server: StripeStandIn, settings: Any) -> Iterator[StripeStandIn]:
    """The site pays here. Events are posted at once; a test says when a worker applies them."""
    _stripe_server.clear()
    settings.STRIPE_API_BASE = _stripe_server.url
    settings.STRIPE_SECRET_KEY = _stripe_server.config.api_key
    settings.STRIPE_WEBHOOK_SECRETS = [_stripe_server.config.webhook_secret]
    settings.STRIPE_HOSTED_ORIGINS = (_stripe_server.site,)
    policy = settings.CONTENT_SECURITY_POLICY
    forms = [*policy["DIRECTIVES"]["form-action"], _stripe_server.site]
    settings.CONTENT_SECURITY_POLICY = {**policy, "DIRECTIVES": {**policy["DIRECTIVES"], "form-action": forms}}
    client.breaker.success()
    yield _stripe_server
    client.breaker.success()


@pytest.fixture
def visitors(request: pytest.FixtureRequest, chromium: Browser, site: str, mailgun: StandIn) -> Iterator[Visitors]:
    """Opens a fresh browser profile for each call; at the end none may have met a problem."""
    opened: list[Visitor] = []
    shop = request.getfixturevalue("stripe").site if "stripe" in request.fixturenames else ""

    def visitor(**screen: Any) -> Visitor:
        opened.append(Visitor.open(chromium, site=site, mailgun=mailgun, shop=shop, **screen))
        return opened[-1]

    yield visitor
    for each in opened:
        each.context.close()
    assert [problem for each in opened for problem in each.problems] == []


@pytest.fixture
def visitor(visitors: Visitors) -> Visitor:
    """One person at a wide screen, with JavaScript."""
    return visitors()


# --- Pages that are only looked at ----------------------------------------------------------------------
@pytest.fixture(scope="module")
def looking(
    _site_server: str, _mailgun_server: StandIn, django_db_blocker: DjangoDbBlocker
) -> Iterator[tuple[str, StandIn]]:
    """Site and mailbox for a module whose tests share their rows: what they do changes nothing for the others.

    Emptying the tables after each test would take longer than the tests. Such a module has a fixture
    ``transactional_db`` of its own, by which pytest-django sees that a database must be made.
    """
    name = connection.settings_dict["NAME"]
    assert name.startswith(TEST_DATABASE_PREFIX), f"{name} is no database of the tests; it would be emptied."
    forget_everything()
    _mailgun_server.clear()
    changed = {
        "ROOT_URLCONF": "techdeputies.tests.browser.urls",
        "SITE_URL": _site_server,
        "CSRF_TRUSTED_ORIGINS": [_site_server],
        "MAILGUN_API_URL": _mailgun_server.url,
        "ANYMAIL": _mailgun_server.anymail,
    }
    with override_settings(**changed), django_db_blocker.unblock():
        yield _site_server, _mailgun_server
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def onlooker(chromium: Browser, looking: tuple[str, StandIn]) -> Iterator[Visitor]:
    """A fresh browser profile at such a site, without a problem in the end."""
    visitor = Visitor.open(chromium, site=looking[0], mailgun=looking[1])
    yield visitor
    visitor.context.close()
    assert visitor.problems == []


@pytest.fixture(scope="session", autouse=True)
def _cookie_names_fit_plain_http() -> None:
    """A cookie named ``__Host-`` would need https; the tests' settings name it plainly."""
    assert not django_settings.SESSION_COOKIE_SECURE, os.environ.get("DEBUG")
