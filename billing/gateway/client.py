"""The connection to Stripe: one client a thread, time-outs, a breaker, and Stripe's errors in our words.

Facts (stripe 16.1.0's source): a StripeClient makes no retry unless told, its default time-out is 80 s, and
``requests`` would follow redirects. Inside a page nothing is retried; a task says ``with retrying()``. Every
POST that makes something carries a key of ours, so a repeat is answered with the first answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe
import structlog
from django.conf import settings

from billing.exceptions import CardDeclined, StripeMissing, StripeRefused, StripeUnavailable

logger = structlog.get_logger(__name__)

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 8.0
TASK_RETRIES = 2
KEY_IN_USE_WAITS = (0.1, 0.2, 0.4, 0.8, 1.6, 1.6)
FAULTS_IN_A_ROW = 5
REST_SECONDS = 15.0

_retries: ContextVar[int] = ContextVar("stripe_retries", default=0)
_deadline: ContextVar[float | None] = ContextVar("stripe_deadline", default=None)
_local = threading.local()


class _Breaker:
    """After five faults in a row nobody waits for Stripe for a quarter of a minute; then the next call tries."""

    def __init__(self) -> None:
        self.faults = 0
        self.rests_until = 0.0

    def check(self) -> None:
        if time.monotonic() < self.rests_until:
            raise StripeUnavailable

    def fault(self) -> None:
        self.faults += 1
        if self.faults >= FAULTS_IN_A_ROW:
            self.rests_until = time.monotonic() + REST_SECONDS

    def success(self) -> None:
        self.faults, self.rests_until = 0, 0.0


breaker = _Breaker()


class _Session(requests.Session):
    """Follows no redirect, and gives up when the caller's time is over."""

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False
        deadline = _deadline.get()
        left = ANSWER_SECONDS if deadline is None else max(0.1, deadline - time.monotonic())
        kwargs["timeout"] = (min(CONNECT_SECONDS, left), min(ANSWER_SECONDS, left))
        return super().request(*args, **kwargs)


@contextmanager
def retrying() -> Iterator[None]:
    """For tasks: connection faults, 409 and 5xx are tried twice more."""
    token = _retries.set(TASK_RETRIES)
    try:
        yield
    finally:
        _retries.reset(token)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """For pages: all calls inside take no longer than this together."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def call(work: Callable[[Any], Any]) -> Any:
    """What ``work(client.v1)`` answers, as plain dicts and lists.

    Raises StripeUnavailable (no answer, or none that makes sense), StripeMissing, StripeRefused, CardDeclined.
    """
    breaker.check()
    try:
        answer = _patiently(work)
    except stripe.CardError as error:
        breaker.success()
        raise CardDeclined(code=str(error.code or "")) from error
    except stripe.IdempotencyError as error:
        logger.exception("stripe_key_used_otherwise", request_id=error.request_id)
        raise StripeRefused(code="idempotency", detail=str(error)) from error
    except stripe.InvalidRequestError as error:
        breaker.success()
        if error.code == "resource_missing":
            raise StripeMissing(detail=str(error)) from error
        logger.warning("stripe_refused", code=error.code, param=error.param, request_id=error.request_id)
        raise StripeRefused(code=str(error.code or ""), detail=str(error)) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        logger.exception("stripe_key_not_accepted", request_id=error.request_id)
        raise StripeUnavailable from error
    except stripe.RateLimitError as error:
        # Stripe is there; only we ask too much.
        logger.warning("stripe_asked_too_much", request_id=error.request_id)
        raise StripeUnavailable from error
    except stripe.StripeError as error:
        # Connection faults, 5xx, and answers that are no JSON.
        breaker.fault()
        logger.warning("stripe_unavailable", error=type(error).__name__, request_id=error.request_id)
        raise StripeUnavailable from error
    breaker.success()
    return _plain(answer)


def _patiently(work: Callable[[Any], Any]) -> Any:
    """Wait where another request of ours is using the same key (409): its answer is ours as well."""
    deadline = _deadline.get()
    for seconds in KEY_IN_USE_WAITS:
        try:
            return work(_client().v1)
        except stripe.APIError as error:
            if error.http_status != 409 or (deadline is not None and time.monotonic() + seconds >= deadline):
                raise
        time.sleep(seconds)
    return work(_client().v1)


def each(work: Callable[[Any, dict[str, Any]], Any], params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that ``work(client.v1, params)`` lists, page by page."""
    asked = {"limit": 100, **params}
    while True:
        page = call(_with(work, asked))
        yield from page["data"]
        if not page["has_more"] or not page["data"]:
            return
        asked = {**asked, "starting_after": page["data"][-1]["id"]}


def _with(work: Callable[[Any, dict[str, Any]], Any], params: dict[str, Any]) -> Callable[[Any], Any]:
    return lambda v1: work(v1, params)


def options(key: str = "") -> dict[str, Any]:
    """The request's own options: its idempotency key, where it makes something."""
    return {"idempotency_key": key} if key else {}


def hosted(url: str) -> str:
    """The address of a page of Stripe's, once it is sure that it is one. Raises StripeUnavailable."""
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" not in settings.STRIPE_HOSTED_ORIGINS:
        logger.error("stripe_page_elsewhere", host=parts.netloc)
        raise StripeUnavailable
    return url


def _client() -> stripe.StripeClient:
    wanted = (settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, _retries.get())
    clients: dict[Any, stripe.StripeClient] = _local.__dict__.setdefault("clients", {})
    found = clients.get(wanted)
    if found is None:
        found = clients[wanted] = stripe.StripeClient(
            settings.STRIPE_SECRET_KEY,
            max_network_retries=_retries.get(),
            base_addresses={"api": settings.STRIPE_API_BASE.rstrip("/")},
            http_client=stripe.RequestsClient(session=_Session()),
        )
    return found


def _plain(answer: Any) -> Any:
    if isinstance(answer, stripe.StripeObject):
        return answer.to_dict(for_json=True)
    return answer
