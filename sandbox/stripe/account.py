"""The account a stand-in plays: what it remembers, its clock, and the events that tell of every change."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.stripe import errors, shapes
from sandbox.stripe.config import Config
from sandbox.stripe.shapes import Object
from sandbox.stripe.store import Store


class Sender(Protocol):
    """Who posts events to the product."""

    def send(self, event: Object) -> None: ...


@dataclass(frozen=True)
class Caller:
    """The API request that is being carried out; empty while the stand-in acts by itself."""

    request_id: str | None = None
    key: str | None = None


_NOBODY = Caller()
CALLER: ContextVar[Caller] = ContextVar("stripe_caller", default=_NOBODY)


class Account:
    """What every route and every page works on."""

    def __init__(self, config: Config, store: Store, webhooks: Sender) -> None:
        self.config = config
        self.store = store
        self.webhooks = webhooks
        self.site = ""
        """Where the pages for people are; the server sets it once it knows its port."""

    # --- time -----------------------------------------------------------------------------------------
    def now(self, customer_id: str | None = None) -> int:
        """The account's time, or that of a customer whose subscription was renewed ahead of time.

        Each customer has a clock, as with Stripe's test clocks: what one customer's months do to the clock must not
        close another's checkout.
        """
        moment = int(time.time()) + self.store.offset
        customer = self.store.get(customer_id) if customer_id else None
        return moment + (customer.get("_ahead", 0) if customer else 0)

    def move_clock(self, customer_id: str, moment: int) -> None:
        """Set a customer's clock forward to ``moment``; a moment that has been changes nothing."""
        ahead = moment - self.now(customer_id)
        customer = self.store.get(customer_id)
        if customer is not None and ahead > 0:
            customer["_ahead"] = customer.get("_ahead", 0) + ahead
            self.store.put(customer)

    # --- objects --------------------------------------------------------------------------------------
    def transaction(self) -> AbstractContextManager[None]:
        return self.store.transaction()

    def get(self, kind: str, object_id: str, *, param: str = "id") -> Object:
        """An object, or the refusal that there is none. A deleted one is none either."""
        found = self.store.get(object_id)
        if found is None or found["object"] != kind or found.get("_deleted"):
            raise errors.missing(kind, object_id, param=param)
        return found

    def add(self, thing: Object, event: str = "") -> Object:
        """Store a new object and tell of it."""
        self.store.put(thing)
        if event:
            self.emit(event, thing)
        return thing

    @contextmanager
    def changing(self, object_id: str, event: str = "") -> Iterator[Object]:
        """Change an object: inside, it may be altered; at the end it is stored, and told of if anything differs."""
        thing = self.store.get(object_id)
        if thing is None:
            raise LookupError(object_id)
        before = copy.deepcopy(thing)
        yield thing
        if thing == before:
            return
        self.store.put(thing)
        previous = {
            name: before.get(name)
            for name in {**before, **thing}
            if not name.startswith("_") and before.get(name) != thing.get(name)
        }
        if event and previous:
            self.emit(event, thing, previous)

    def emit(self, kind: str, thing: Object, previous: Object | None = None) -> None:
        """Write an event, and post it once the transaction is kept."""
        caller = CALLER.get()
        data: dict[str, Any] = {"object": shapes.public(thing)}
        if previous:
            data["previous_attributes"] = copy.deepcopy(previous)
        owner = thing["id"] if thing["object"] == "customer" else thing.get("customer")
        event = shapes.new(
            "event",
            api_version=self.config.api_version,
            created=self.now(owner),
            data=data,
            request={"id": caller.request_id, "idempotency_key": caller.key},
            type=kind,
        )
        with self.transaction():
            self.store.put(event)
            self.store.after_commit(lambda: self.webhooks.send(event))
