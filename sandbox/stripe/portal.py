"""The customer portal: its configuration, and sessions that open it."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import catalogue, listing, shapes, subscriptions
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError, missing, missing_param, not_played
from sandbox.stripe.params import Params, merged
from sandbox.stripe.shapes import Object

_PLAIN = ("active", "default_return_url", "name")
_NESTED = ("business_profile", "features", "login_page")
_KIND = "billing_portal.configuration"


# --- configurations -----------------------------------------------------------------------------------
def create_configuration(account: Account, params: Params) -> Object:
    now = account.now()
    made = shapes.new(_KIND, created=now, updated=now)
    _set(account, made, params)
    return account.add(made, "billing_portal.configuration.created")


def update_configuration(account: Account, params: Params, configuration_id: str) -> Object:
    account.get(_KIND, configuration_id)
    with account.changing(configuration_id, "billing_portal.configuration.updated") as configuration:
        _set(account, configuration, params)
        configuration["updated"] = account.now()
    return configuration


def _set(account: Account, configuration: Object, params: Params) -> None:
    for name in _PLAIN:
        if name in params:
            configuration[name] = None if params[name] == "" else params[name]
    for name in _NESTED:
        _merge(configuration[name], params.get(name) or {})
    if "metadata" in params:
        configuration["metadata"] = merged(configuration["metadata"], params["metadata"])
    changing = configuration["features"]["subscription_update"]
    if changing["enabled"]:
        if not changing["products"]:
            raise missing_param("features[subscription_update][products]")
        if not changing["default_allowed_updates"]:
            raise missing_param("features[subscription_update][default_allowed_updates]")
        for entry in changing["products"]:
            account.get("product", entry["product"], param="features[subscription_update][products]")
            for price_id in entry["prices"]:
                account.get("price", price_id, param="features[subscription_update][products]")


def _merge(place: Object, given: Params) -> None:
    for name, value in given.items():
        if isinstance(value, dict) and isinstance(place.get(name), dict):
            _merge(place[name], value)
        else:
            place[name] = ([] if isinstance(place.get(name), list) else None) if value == "" else value


def retrieve_configuration(account: Account, _params: Params, configuration_id: str) -> Object:
    return account.get(_KIND, configuration_id)


def list_configurations(account: Account, params: Params) -> Object:
    return listing.page(account, _KIND, params, "/v1/billing_portal/configurations", ("active", "is_default"))


# --- sessions -----------------------------------------------------------------------------------------
def create_session(account: Account, params: Params) -> Object:
    catalogue.only(params, "configuration", "customer", "flow_data", "locale", "return_url")
    if "customer" not in params:
        raise missing_param("customer")
    customer = account.get("customer", params["customer"], param="customer")
    configuration = _configuration(account, params)
    made = shapes.new(
        "billing_portal.session",
        configuration=configuration["id"],
        created=account.now(),
        customer=customer["id"],
        flow=_flow(account, customer, configuration, params.get("flow_data")),
        locale=params.get("locale"),
        return_url=params.get("return_url") or configuration["default_return_url"],
    )
    made["url"] = f"{account.site}/p/session/{made['id']}"
    return account.add(made)


def _configuration(account: Account, params: Params) -> Object:
    if "configuration" in params:
        configuration = account.get(_KIND, params["configuration"], param="configuration")
        if not configuration["active"]:
            raise ApiError("The configuration is not active.", param="configuration")
        return configuration
    found = account.store.find(_KIND, {"active": True}, limit=1, oldest_first=True)
    if not found:
        raise ApiError(
            "No configuration provided and your test mode default configuration has not been created. Provide a"
            " configuration or create your default by saving your customer portal settings in test mode at"
            " https://dashboard.stripe.com/test/settings/billing/portal."
        )
    return found[0]


def _flow(account: Account, customer: Object, configuration: Object, asked: Params | None) -> Object | None:
    if asked is None:
        return None
    kind: str = asked["type"]
    if kind in ("customer_update", "subscription_pause"):
        raise not_played(f"flow_data[type]={kind}")
    feature = "subscription_update" if kind == "subscription_update_confirm" else kind
    if not configuration["features"][feature]["enabled"]:
        raise ApiError(
            f"This flow requires the {feature} feature to be enabled in the portal configuration.",
            param="flow_data[type]",
        )
    flow: dict[str, Any] = {
        "after_completion": _after_completion(asked.get("after_completion")),
        "customer_update": None,
        "subscription_cancel": None,
        "subscription_pause": None,
        "subscription_update": None,
        "subscription_update_confirm": None,
        "type": kind,
    }
    if kind == "payment_method_update":
        return flow
    details = asked.get(kind)
    if details is None:
        raise missing_param(f"flow_data[{kind}]")
    name = f"flow_data[{kind}][subscription]"
    subscription = account.get("subscription", details["subscription"], param=name)
    if subscription["customer"] != customer["id"] or subscription["status"] not in subscriptions.LIVE:
        raise missing("subscription", details["subscription"], param=name)
    if kind == "subscription_cancel":
        if subscription["cancel_at"] is not None:
            raise ApiError(
                f"The subscription `{subscription['id']}` is already set to be canceled at period end.", param=name
            )
        flow[kind] = {"retention": None, "subscription": subscription["id"]}
    elif kind == "subscription_update":
        flow[kind] = {"subscription": subscription["id"]}
    else:
        items = [{"id": None, "price": None, "quantity": 1, **item} for item in details["items"]]
        flow[kind] = {"discounts": None, "items": items, "subscription": subscription["id"]}
    return flow


def _after_completion(asked: Params | None) -> Object:
    given = asked or {"type": "portal_homepage"}
    return {
        "hosted_confirmation": given.get("hosted_confirmation"),
        "redirect": given.get("redirect"),
        "type": given["type"],
    }
