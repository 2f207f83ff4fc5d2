"""The stand-in as a thing to start, script and ask: used by tests and by the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.lib import standin, wire
from sandbox.lib.faults import Fault, Script
from sandbox.lib.server import Answer
from sandbox.stripe import checkout, customers, disputes, faults, pages, refunds, routes, subscriptions
from sandbox.stripe.account import Account
from sandbox.stripe.checkout import Outcome
from sandbox.stripe.config import Config
from sandbox.stripe.outage import Outage
from sandbox.stripe.shapes import Object
from sandbox.stripe.store import Store
from sandbox.stripe.webhooks import Sender
from sandbox.stripe.wire import MAX_BODY_BYTES, Request, Response

GOOD_CARD = "4242424242424242"


@dataclass
class Call:
    """One request to the API, as it arrived. ``params`` are as they were sent, ``items[0][price]`` by name."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    moment: float
    status: int = 0
    """What was answered; 0 while nothing is, and when the connection was cut instead."""


class StandIn(standin.StandIn):
    """Stripe on a port of this machine.

    Without ``data_dir`` everything is kept in memory. The rest are the fields of ``Config``; without them the
    defaults are those of the product's development settings.
    """

    name = "stripe"
    max_body_bytes = MAX_BODY_BYTES

    def __init__(
        self,
        port: int = 0,
        data_dir: Path | str | None = None,
        *,
        host: str = "127.0.0.1",
        config: Config | None = None,
        access_log: bool = False,
        **settings: Any,
    ) -> None:
        self.config = config or Config(**settings)
        self.webhooks = Sender(self.config)
        super().__init__(host, port, sender=self.webhooks, script=faults.script(), access_log=access_log)
        self.account = Account(self.config, Store(None if data_dir is None else Path(data_dir)), self.webhooks)
        self.outage = Outage()

    def _tell_site(self) -> None:
        self.account.site = self.site

    def _close_store(self) -> None:
        self.account.store.close()

    # --- where it is ----------------------------------------------------------------------------------
    @property
    def url(self) -> str:
        """The value for STRIPE_API_BASE."""
        return self.site

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that should be paid here."""
        return {
            "STRIPE_SECRET_KEY": self.config.api_key,
            "STRIPE_WEBHOOK_SECRETS": self.config.webhook_secret,
            "STRIPE_API_BASE": self.url,
        }

    # --- what has happened ----------------------------------------------------------------------------
    @property
    def calls(self) -> list[Call]:
        """Requests to the API, oldest first, refused and faulty ones included."""
        return list(self._calls)

    @property
    def events(self) -> list[Object]:
        """Everything that happened, oldest first, as it is posted."""
        return self.account.store.find("event", oldest_first=True)

    def clear(self) -> None:
        """Forget all objects, events, calls, posts and scripted faults."""
        self.account.store.clear()
        self.webhooks.forget()
        self.webhooks.disorder(self.config.webhook_copies, self.config.webhook_shuffle)
        self.webhooks.delay_seconds = 0.0
        self.outage.end()
        self._faults.clear()
        self._calls.clear()

    # --- bad days -------------------------------------------------------------------------------------
    @property
    def faults(self) -> Script:
        """The scripted answers: ``stripe.faults.add(500, on="POST /v1/refunds", times=2)``."""
        return self._faults

    def answers(self, *items: Fault | int, on: str = "") -> None:
        """Script the next answers of a group of calls, one each; a number is a refusal with that status."""
        self._faults.add(*items, on=on)

    def always(self, rule: Callable[[], Fault | None] | Fault | int | None, on: str = "") -> None:
        """Give every call of a group this answer, or what ``rule()`` returns; None ends it."""
        self._faults.always(rule, on=on)

    def hold_webhooks(self) -> None:
        """Keep back every post until ``release_webhooks``."""
        self.webhooks.hold()

    def release_webhooks(self) -> None:
        self.webhooks.release()

    # --- what people and banks do ---------------------------------------------------------------------
    def pay(self, session_id: str, *, card: str = GOOD_CARD, email: str = "", confirmed: bool = False) -> Outcome:
        """Pay at Checkout, as a buyer would."""
        return checkout.pay(self.account, session_id, card=card, email=email, confirmed=confirmed)

    def expire(self, session_id: str) -> Object:
        """Close an open Checkout Session: its time is over."""
        return checkout.expire(self.account, session_id)

    def renew(self, subscription_id: str) -> Object:
        """Move to the end of the paid period and do what happens then."""
        return subscriptions.renew(self.account, subscription_id)

    def retry(self, subscription_id: str) -> Object:
        """Try the open invoice again; after the fourth failure the subscription ends."""
        return subscriptions.retry(self.account, subscription_id)

    def end_now(self, subscription_id: str) -> Object:
        return subscriptions.end_now(self.account, subscription_id)

    def set_card(self, customer_id: str, card: str = GOOD_CARD) -> Object:
        """Save another card for everything the customer pays from now on."""
        return customers.set_card(self.account, customer_id, card)

    def settle_refund(self, refund_id: str, status: str = "succeeded", failure_reason: str = "") -> Object:
        return refunds.settle(self.account, refund_id, status, failure_reason)

    def open_dispute(self, charge_id: str, reason: str = "fraudulent") -> Object:
        return disputes.open(self.account, charge_id, reason)

    def close_dispute(self, dispute_id: str, status: str) -> Object:
        """``won`` or ``lost``, as the account sees it."""
        return disputes.close(self.account, dispute_id, status)

    # --- routing --------------------------------------------------------------------------------------
    def _route(self, arrived: wire.Request) -> tuple[Fault | None, Answer]:
        request = Request.of(arrived)
        if not request.path.startswith("/v1/"):
            return None, pages.find_page(self.account, self.webhooks, self.outage, request)
        call = Call(request.method, request.path, _params(request), dict(request.headers.items()), time.time())
        self._calls.append(call)
        if self.outage.seconds_left:
            return faults.reset(), lambda: routes.handle(self.account, request)
        fault = self._faults.next(f"{request.method} {request.path}")
        if fault is not None and not fault.reset:
            call.status = fault.status or 0

        def answer() -> Response:
            response = routes.handle(self.account, request)
            if fault is None or not (fault.reset or fault.status):
                call.status = response.status
            return response

        return fault, answer


def _params(request: Request) -> dict[str, str]:
    try:
        return dict(request.form)
    except ValueError:  # more than anybody needs; the route refuses them
        return {}
