"""Which path is which operation, and what every request has in common: key, version, idempotency, errors."""

from __future__ import annotations

import hmac
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from stripe import params as types
from stripe.params import billing_portal
from stripe.params import checkout as checkout_types

from sandbox.stripe import (
    catalogue,
    changes,
    checkout,
    customers,
    disputes,
    events,
    expanding,
    invoices,
    params,
    portal,
    refunds,
    schedules,
    sessions,
    shapes,
    subscriptions,
)
from sandbox.stripe.account import CALLER, Account, Caller
from sandbox.stripe.errors import ApiError
from sandbox.stripe.shapes import Object
from sandbox.stripe.store import Answer
from sandbox.stripe.wire import Request, Response, typed_response

Handler = Callable[..., Object]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    types: type
    handler: Handler


ROUTES = (
    Route("POST", "products", types.ProductCreateParams, catalogue.create_product),
    Route("GET", "products", types.ProductListParams, catalogue.list_products),
    Route("GET", "products/*", types.ProductRetrieveParams, catalogue.retrieve_product),
    Route("POST", "products/*", types.ProductUpdateParams, catalogue.update_product),
    Route("POST", "prices", types.PriceCreateParams, catalogue.create_price),
    Route("GET", "prices", types.PriceListParams, catalogue.list_prices),
    Route("GET", "prices/*", types.PriceRetrieveParams, catalogue.retrieve_price),
    Route("POST", "prices/*", types.PriceUpdateParams, catalogue.update_price),
    Route("POST", "coupons", types.CouponCreateParams, catalogue.create_coupon),
    Route("GET", "coupons/*", types.CouponRetrieveParams, catalogue.retrieve_coupon),
    Route("DELETE", "coupons/*", types.CouponDeleteParams, catalogue.delete_coupon),
    Route("POST", "customers", types.CustomerCreateParams, customers.create),
    Route("GET", "customers", types.CustomerListParams, customers.list_all),
    Route("GET", "customers/*", types.CustomerRetrieveParams, customers.retrieve),
    Route("POST", "customers/*", types.CustomerUpdateParams, customers.update),
    Route("DELETE", "customers/*", types.CustomerDeleteParams, customers.remove),
    Route("POST", "checkout/sessions", checkout_types.SessionCreateParams, sessions.create),
    Route("GET", "checkout/sessions", checkout_types.SessionListParams, sessions.list_all),
    Route("GET", "checkout/sessions/*", checkout_types.SessionRetrieveParams, sessions.retrieve),
    Route("POST", "checkout/sessions/*/expire", checkout_types.SessionExpireParams, sessions.expire),
    Route("GET", "checkout/sessions/*/line_items", checkout_types.SessionLineItemListParams, sessions.line_items),
    Route("GET", "subscriptions", types.SubscriptionListParams, subscriptions.list_all),
    Route("GET", "subscriptions/*", types.SubscriptionRetrieveParams, subscriptions.retrieve),
    Route("POST", "subscriptions/*", types.SubscriptionUpdateParams, changes.update),
    Route("DELETE", "subscriptions/*", types.SubscriptionCancelParams, subscriptions.cancel),
    Route("POST", "subscriptions/*/pause", types.SubscriptionPauseParams, subscriptions.pause_route),
    Route("POST", "subscriptions/*/resume", types.SubscriptionResumeParams, subscriptions.resume_route),
    Route("POST", "subscription_schedules", types.SubscriptionScheduleCreateParams, schedules.create),
    Route("GET", "subscription_schedules", types.SubscriptionScheduleListParams, schedules.list_all),
    Route("GET", "subscription_schedules/*", types.SubscriptionScheduleRetrieveParams, schedules.retrieve),
    Route("POST", "subscription_schedules/*", types.SubscriptionScheduleUpdateParams, schedules.update),
    Route("POST", "subscription_schedules/*/release", types.SubscriptionScheduleReleaseParams, schedules.release),
    Route("POST", "invoices/create_preview", types.InvoiceCreatePreviewParams, changes.preview),
    Route("GET", "invoices", types.InvoiceListParams, invoices.list_all),
    Route("GET", "invoices/*", types.InvoiceRetrieveParams, invoices.retrieve),
    Route("GET", "invoice_payments", types.InvoicePaymentListParams, invoices.list_payments),
    Route("GET", "payment_intents/*", types.PaymentIntentRetrieveParams, customers.retrieve_intent),
    Route("GET", "charges/*", types.ChargeRetrieveParams, customers.retrieve_charge),
    Route("GET", "payment_methods/*", types.PaymentMethodRetrieveParams, customers.retrieve_method),
    Route("POST", "refunds", types.RefundCreateParams, refunds.create),
    Route("GET", "refunds", types.RefundListParams, refunds.list_all),
    Route("GET", "refunds/*", types.RefundRetrieveParams, refunds.retrieve),
    Route("POST", "refunds/*", types.RefundUpdateParams, refunds.update),
    Route("GET", "disputes", types.DisputeListParams, disputes.list_all),
    Route("GET", "disputes/*", types.DisputeRetrieveParams, disputes.retrieve),
    Route("GET", "events", types.EventListParams, events.list_all),
    Route("GET", "events/*", types.EventRetrieveParams, events.retrieve),
    Route(
        "POST", "billing_portal/configurations", billing_portal.ConfigurationCreateParams, portal.create_configuration
    ),
    Route("GET", "billing_portal/configurations", billing_portal.ConfigurationListParams, portal.list_configurations),
    Route(
        "GET",
        "billing_portal/configurations/*",
        billing_portal.ConfigurationRetrieveParams,
        portal.retrieve_configuration,
    ),
    Route(
        "POST", "billing_portal/configurations/*", billing_portal.ConfigurationUpdateParams, portal.update_configuration
    ),
    Route("POST", "billing_portal/sessions", billing_portal.SessionCreateParams, portal.create_session),
)

_RUNNING: set[tuple[int, str]] = set()
_RUNNING_LOCK = threading.Lock()
_KEPT_ERRORS = (402,)
"""Refusals that a key remembers, besides what went well: a declined card. A request that was wrong was not begun."""


def handle(account: Account, request: Request) -> Response:
    """The answer to a request under /v1."""
    caller = Caller(request_id="req_" + shapes.letters(14), key=request.headers.get("Idempotency-Key") or None)
    token = CALLER.set(caller)
    try:
        return _answer(account, request, caller)
    except ApiError as error:
        return _response(account, caller, error.status, json.dumps(error.body(caller.request_id or "")))
    finally:
        CALLER.reset(token)


def _answer(account: Account, request: Request, caller: Caller) -> Response:
    _check_caller(account, request)
    route, ids = _find(request)
    if caller.key is None or request.method != "POST":
        return _response(account, caller, 200, _carry_out(account, request, route, ids))
    if len(caller.key) > 255:
        raise ApiError("Idempotency keys can be at most 255 characters long.", kind="idempotency_error")
    mark = (id(account), caller.key)
    with _RUNNING_LOCK:
        if mark in _RUNNING:
            raise ApiError(
                "There is currently another in-progress request using this Idempotent Key (that probably means you"
                f" submitted twice, and the other request is still going through): {caller.key}.",
                status=409,
                code="idempotency_key_in_use",
                kind="idempotency_error",
            )
        _RUNNING.add(mark)
    try:
        return _answer_once(account, request, caller, route, ids)
    finally:
        with _RUNNING_LOCK:
            _RUNNING.discard(mark)


def _answer_once(account: Account, request: Request, caller: Caller, route: Route, ids: list[str]) -> Response:
    """Carry out a request with a key, or give the first answer again."""
    key, given = caller.key or "", json.dumps(sorted(request.form))
    first = account.store.answer_for(key)
    if first is not None:
        _check_same(first, request.path, given, key)
        again = {"Idempotent-Replayed": "true", "Original-Request": first.request}
        return _response(account, caller, first.status, first.body, again)
    request_id = caller.request_id or ""
    try:
        with account.transaction():
            body = _carry_out(account, request, route, ids)
            account.store.keep_answer(key, Answer(request.path, given, 200, body, request_id))
    except ApiError as error:
        if error.status in _KEPT_ERRORS:
            refusal = json.dumps(error.body(request_id))
            account.store.keep_answer(key, Answer(request.path, given, error.status, refusal, request_id))
        raise
    return _response(account, caller, 200, body)


def _check_same(first: Answer, path: str, given: str, key: str) -> None:
    if first.path != path:
        raise ApiError(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for"
            f" ('{path}' vs '{first.path}'). Try using a key other than '{key}' if you meant to execute a different"
            " request.",
            kind="idempotency_error",
        )
    if first.params != given:
        raise ApiError(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try"
            f" using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )


def _carry_out(account: Account, request: Request, route: Route, ids: list[str]) -> str:
    try:
        pairs = request.form
    except ValueError:
        raise ApiError("The request has too many parameters.") from None
    with account.transaction():
        checkout.expire_due(account)
    given = params.read(pairs, route.types)
    with account.transaction():
        answer = route.handler(account, given, *ids)
        return json.dumps(expanding.present(account, answer, given.get("expand") or []))


# --- who asks for what --------------------------------------------------------------------------------
def _check_caller(account: Account, request: Request) -> None:
    if not request.key:
        raise ApiError(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer"
            " auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for"
            " details, or we can help at https://support.stripe.com/.",
            status=401,
        )
    if not hmac.compare_digest(request.key.encode(), account.config.api_key.encode()):
        hidden = f"{request.key[:8]}{'*' * 8}{request.key[-4:]}"
        raise ApiError(f"Invalid API Key provided: {hidden}", status=401)
    version = request.headers.get("Stripe-Version", "")
    if version != account.config.api_version:
        raise ApiError(f"Invalid Stripe API version: {version or '(none)'}. This account speaks"
                       f" {account.config.api_version}.")  # fmt: skip


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], Route]]:
    return [(route.method, re.compile(f"/v1/{route.path.replace('*', '([^/]+)')}"), route) for route in ROUTES]


def _find(request: Request) -> tuple[Route, list[str]]:
    path = request.path.rstrip("/")
    for method, pattern, route in _patterns():
        found = pattern.fullmatch(path)
        if found and method == request.method:
            return route, list(found.groups())
    raise ApiError(
        f"Unrecognized request URL ({request.method}: {request.path}). Please see https://stripe.com/docs or we can"
        " help at https://support.stripe.com/.",
        status=404,
    )


def _response(account: Account, caller: Caller, status: int, body: str, more: dict[str, Any] | None = None) -> Response:
    headers = {"Request-Id": caller.request_id or "", "Stripe-Version": account.config.api_version, **(more or {})}
    if caller.key:
        headers["Idempotency-Key"] = caller.key
    return typed_response(body.encode(), "application/json; charset=utf-8", status, headers)
