"""What every request has in common: keys, versions, paths, parameters, pages, expansion."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe

from sandbox.stripe import routes
from sandbox.stripe.config import API_VERSION
from sandbox.stripe.tests.conftest import Shop
from sandbox.stripe.wire import Request, Response

HEADERS = {"Authorization": "Bearer sk_test_stand_in", "Stripe-Version": API_VERSION}


def _ask(shop: Shop, path: str, method: str = "GET", body: str = "", query: str = "", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return routes.handle(shop.account, Request(method, path, query, {**HEADERS, **named}, body.encode()))


def _error(response: Response) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(response.body)["error"]
    return error


# --- who asks -----------------------------------------------------------------------------------------
def test_another_key_is_not_accepted(shop: Shop) -> None:
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided: sk_test_"):
        shop.client_with("sk_test_wrong_key").v1.customers.list()


def test_a_key_is_needed(shop: Shop) -> None:
    response = routes.handle(shop.account, Request("GET", "/v1/customers", "", {}, b""))
    assert response.status == 401
    assert "You did not provide an API key" in _error(response)["message"]


@pytest.mark.parametrize("version", ["2024-06-20", ""])
def test_another_version_is_not_spoken(shop: Shop, version: str) -> None:
    response = _ask(shop, "/v1/customers", Stripe_Version=version)
    assert response.status == 400
    assert "Invalid Stripe API version" in _error(response)["message"]


def test_every_answer_has_a_number(shop: Shop) -> None:
    assert shop.v1.customers.list().last_response.request_id.startswith("req_")  # type: ignore[union-attr]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.customers.retrieve("cus_x")
    assert str(caught.value.request_id).startswith("req_")


def test_an_unknown_path_is_said_to_be_one(shop: Shop) -> None:
    for method, path in (("GET", "/v1/unicorns"), ("DELETE", "/v1/prices/x"), ("GET", "/v1/customers/a/b")):
        response = _ask(shop, path, method)
        assert response.status == 404
        assert f"Unrecognized request URL ({method}: {path})" in _error(response)["message"]


def test_events_name_the_request_that_made_them(shop: Shop) -> None:
    shop.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "customer:1"})
    request = shop.letters.events[-1]["request"]
    assert request == {"id": shop.last.headers["Request-Id"], "idempotency_key": "customer:1"}


# --- parameters ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "body", "code", "param", "message"),
    [
        ("customers", "foo=1", "parameter_unknown", "foo", "Received unknown parameter: foo"),
        ("customers", "foo=1&bar=2", "parameter_unknown", "foo", "Received unknown parameters: foo, bar"),
        ("customers", "address[foo]=1", "parameter_unknown", "address[foo]", "unknown parameter: address[foo]"),
        ("prices", "product=x", "parameter_missing", "currency", "Missing required param: currency."),
        ("prices", "currency=usd&unit_amount=1.5", "parameter_invalid_integer", "unit_amount", "Invalid integer: 1.5"),
        ("prices", "currency=usd&active=maybe", None, "active", "Invalid boolean: maybe"),
        ("prices", "currency=usd&recurring[interval]=eon", None, "recurring[interval]", "must be one of day, month"),
        ("prices", "currency=", "parameter_invalid_empty", "currency", "You passed an empty string for 'currency'"),
        ("customers", "metadata=x", None, "metadata", "Invalid object"),
        ("customers", "email[a]=x", None, "email", "Invalid string"),
        ("customers", "email=nobody", "email_invalid", "email", "Invalid email address: nobody"),
        ("checkout/sessions", "line_items[a]=x", None, "line_items", "Invalid array"),
        ("customers", "]=x", "parameter_unknown", "]", "Received unknown parameter"),
        ("customers", "email=x&email[a]=y", None, "email[a]", "Invalid object"),
    ],
)
def test_parameters_are_checked_by_the_types_of_the_package(
    shop: Shop, path: str, body: str, code: str | None, param: str, message: str
) -> None:
    response = _ask(shop, f"/v1/{path}", "POST", body)
    error = _error(response)
    assert response.status == 400
    assert (error["type"], error.get("code"), error["param"]) == ("invalid_request_error", code, param)
    assert message in error["message"]
    assert ("doc_url" in error) == (code is not None)


def test_lists_may_be_written_with_and_without_numbers(shop: Shop) -> None:
    for query in ("lookup_keys[]=basic_monthly", "lookup_keys[0]=basic_monthly"):
        found = json.loads(_ask(shop, "/v1/prices", query=query).body)
        assert [price["id"] for price in found["data"]] == [shop.basic]


def test_what_is_not_there_is_missing(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.customers.retrieve("cus_x")
    error = caught.value
    assert (error.http_status, error.code, error.param) == (404, "resource_missing", "id")
    assert "No such customer: 'cus_x'" in str(error)


def test_an_id_of_another_kind_is_missing_too(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        shop.v1.customers.retrieve(shop.basic)


# --- pages --------------------------------------------------------------------------------------------
def test_a_list_is_read_page_by_page_newest_first(shop: Shop) -> None:
    made = [shop.customer() for _number in range(5)]
    first = shop.v1.customers.list({"limit": 2})
    assert ([item.id for item in first.data], first.has_more) == (made[:2:-1], True)
    second = shop.v1.customers.list({"limit": 2, "starting_after": first.data[-1].id})
    assert ([item.id for item in second.data], second.has_more) == (made[2:0:-1], True)
    last = shop.v1.customers.list({"limit": 2, "starting_after": second.data[-1].id})
    assert ([item.id for item in last.data], last.has_more) == (made[:1], False)
    back = shop.v1.customers.list({"limit": 2, "ending_before": last.data[0].id})
    assert ([item.id for item in back.data], back.has_more) == (made[2:0:-1], True)
    assert [item.id for item in shop.v1.customers.list({"limit": 2}).auto_paging_iter()] == made[::-1]


def test_ten_are_shown_unless_asked(shop: Shop) -> None:
    for _number in range(11):
        shop.customer()
    page = shop.v1.customers.list()
    assert (len(page.data), page.has_more) == (10, True)


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"starting_after": "cus_x"}])
def test_a_page_that_cannot_be_is_refused(shop: Shop, params: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.customers.list(params)


def test_events_are_listed_by_type_and_time(shop: Shop) -> None:
    shop.customer()
    types = ["customer.created", "price.created"]
    found = shop.v1.events.list({"types": types, "created": {"gte": shop.account.now() - 60}})
    assert [event.type for event in found.data] == ["customer.created", "price.created", "price.created"]
    assert [event.type for event in shop.v1.events.list({"type": "price.*"}).data] == ["price.created"] * 2
    assert shop.v1.events.list({"type": "refund.*"}).data == []
    assert shop.v1.events.list({"created": {"gt": shop.account.now() + 60}}).data == []
    assert shop.v1.events.retrieve(found.data[0].id).type == "customer.created"
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        shop.v1.events.list({"type": "a", "types": types})
    with pytest.raises(stripe.InvalidRequestError, match="at most 20"):
        shop.v1.events.list({"types": ["a"] * 21})


def test_a_filter_that_nothing_acts_on_is_refused(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="does not play the parameter test_clock"):
        shop.v1.customers.list({"test_clock": "clock_x"})


# --- expansion ----------------------------------------------------------------------------------------
def test_ids_become_objects_where_asked(shop: Shop) -> None:
    plan = shop.subscribed()
    paths = ["data.latest_invoice.payments", "data.customer", "data.default_payment_method", "data.schedule"]
    found: Any = shop.v1.subscriptions.list({"customer": plan.customer, "expand": paths}).data[0]
    assert found.latest_invoice.payments.data[0].status == "paid"
    assert found.customer.email == "jordan@example.com"
    assert found.default_payment_method.card.last4 == "4242"
    assert found.schedule is None
    deep: Any = shop.v1.subscriptions.retrieve(plan.id, {"expand": ["items.data.price.product"]})
    assert deep["items"].data[0].price.product.name == "Basic"


def test_lists_inside_objects_come_only_when_asked_for(shop: Shop) -> None:
    plan = shop.subscribed()
    customer: Any = shop.v1.customers.retrieve(plan.customer)
    assert "subscriptions" not in customer
    customer = shop.v1.customers.retrieve(plan.customer, {"expand": ["subscriptions"]})
    assert [item.id for item in customer.subscriptions.data] == [plan.id]


def test_expansion_goes_four_levels_deep(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="cannot expand more than 4 levels"):
        shop.v1.subscriptions.list({"expand": ["data.items.data.price.product"]})


@pytest.mark.parametrize("path", ["unicorn", "metadata.unicorn", "invoice_settings.unicorn"])
def test_what_cannot_be_expanded_is_refused(shop: Shop, path: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="expand"):
        shop.v1.customers.retrieve(shop.customer(), {"expand": [path]})
