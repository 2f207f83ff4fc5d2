"""Gives a test run its servers: an embedded PostgreSQL and Valkey, and the stand-ins for Mailgun and Stripe.

The process that starts the run starts them, before Django reads its settings; xdist's workers inherit the addresses.
Addresses given in the environment are used as they are.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import signal
from collections.abc import Callable, Generator, Mapping
from urllib.parse import urlsplit

import pytest

from sandbox.data_folder import DataFolder
from sandbox.environment import free_port, has_mailgun, has_stripe, mailgun_env, stripe_env
from sandbox.errors import Refusal
from sandbox.servers import Servers
from sandbox.standins import MailgunStandIn, StripeStandIn, VendorStandIn
from sandbox.throwaway import free_folder, quiet

GIVEN_DATABASES = 16  # what a Valkey given by address has unless told otherwise
EMBEDDED_DATABASES = 64

running = contextlib.ExitStack()


def worker_number(environ: Mapping[str, str]) -> int:
    """0 for the process that starts the run, 1 and up for xdist's workers."""
    match = re.fullmatch(r"gw(\d+)", environ.get("PYTEST_XDIST_WORKER", ""))
    return int(match[1]) + 1 if match else 0


def own_redis_database(address: str, number: int) -> str:
    """``address`` with a database number of this worker's own."""
    if address.startswith(("unix:", "redis+socket:")):
        return f"{address.partition('?')[0]}?db={number % EMBEDDED_DATABASES}"
    return urlsplit(address)._replace(path=f"/{number % GIVEN_DATABASES}").geturl()


def begin(kind: type[VendorStandIn], folder: DataFolder, point: Callable[[int], dict[str, str]]) -> VendorStandIn:
    """Start a stand-in on a free port; ``point`` gives the variables for it, which the run takes over."""
    port = free_port()
    os.environ.update(point(port))
    stand_in = kind(port=port, data_dir=folder.path / kind.role, env=os.environ, log=folder.log(kind.role))
    child = stand_in.launch()
    running.callback(child.stop, ((signal.SIGTERM, 5.0),))
    return stand_in


def start_vendors(folder: DataFolder) -> None:
    """The stand-ins for vendors of whom no account is given, started together."""
    secrets = folder.secrets()
    vendors = []
    if not has_mailgun(os.environ):
        vendors.append(begin(MailgunStandIn, folder, lambda port: mailgun_env(secrets, port)))
    if not has_stripe(os.environ):
        vendors.append(begin(StripeStandIn, folder, lambda port: stripe_env(secrets, port)))
    for vendor in vendors:
        vendor.wait_ready()


def start_everything() -> None:
    folder = running.enter_context(free_folder())
    os.environ["DATA_DIR"] = str(folder.path)
    os.environ["DEBUG"] = "1"
    for name in ("SECRET_KEY", "SETTINGS_KEYS"):
        os.environ.setdefault(name, folder.secrets()[name])
    servers = running.enter_context(Servers(folder, os.environ, throwaway=True, say=quiet))
    os.environ.update(servers.env)
    start_vendors(folder)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper, so that it comes before pytest-django's own, which reads the settings."""
    options = early_config.known_args_namespace
    if not (getattr(options, "help", False) or getattr(options, "version", 0)):
        number = worker_number(os.environ)
        if number == 0:
            atexit.register(running.close)
            try:
                start_everything()
            except Refusal as refusal:
                raise pytest.UsageError(str(refusal)) from None
        os.environ["REDIS_URL"] = own_redis_database(os.environ["REDIS_URL"], number)
    yield


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    running.close()
