"""Everything the product asks of Stripe, asked once of the stand-in; and each name that goes there is one Stripe knows."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Union, get_args, get_origin
from uuid import uuid4

import pytest
import stripe as package
from django.utils import timezone
from stripe._stripe_service import StripeService
from typing_extensions import get_type_hints, is_typeddict

from billing import exceptions, gateway
from billing.gateway import client
from sandbox.stripe import StandIn

GOOD_CARD = "4242424242424242"
DISPUTED_CARD = "4000000000000259"
DECLINED_LATER = "4000000000000341"

Request = tuple[str, str, dict[str, Any]]


def a_price(product_id: str, cents: int, plan: str = "standard") -> gateway.StripePrice:
    return gateway.create_monthly_price(
        product_id=product_id, amount_cents=cents, lookup_key=f"{plan}_monthly", key=str(uuid4())
    )


def a_session(customer_id: str, price: gateway.StripePrice) -> gateway.StripeSession:
    return gateway.create_plan_session(
        checkout_id="row",
        customer_id=customer_id,
        user_id=7,
        price_id=price.id,
        plan_name="standard",
        expires_at=timezone.now() + timedelta(minutes=35),
        success_url="http://testserver/billing/return/?session_id={CHECKOUT_SESSION_ID}",
        cancel_url="http://testserver/billing/return/",
        key=str(uuid4()),
    )


def a_plan(stripe: StandIn, customer_id: str, price: gateway.StripePrice, card: str = GOOD_CARD) -> str:
    session = a_session(customer_id, price)
    assert stripe.pay(session.id, card=card).ok
    return gateway.session(session.id).subscription_id


def everything(stripe: StandIn) -> None:
    """Every function of the gateway once, with what is essential of its answer."""
    began = timezone.now() - timedelta(minutes=1)
    with gateway.within(60), gateway.retrying():
        product = gateway.create_product(name="Standard plan", plan_name="standard", key="product")
        gateway.save_product(product_id=product.id, name="Standard")
        assert gateway.product(product.id).name == "Standard"
        small, price, big = (a_price(product.id, cents, f"plan{cents}") for cents in (4900, 9900, 19900))
        assert gateway.price_of("plan9900") is None
        assert gateway.price_of("plan9900_monthly") == price
        assert {found.id for found in gateway.prices_of(product.id)} == {small.id, price.id, big.id}

        customer = gateway.create_customer(email="a@example.com", name="Ann", user_id=7, key="customer")
        gateway.update_customer(customer_id=customer, email="b@example.com", name="")
        assert gateway.customer_exists(customer)
        assert gateway.expire_session(a_session(customer, price).id).status == "expired"
        number = a_plan(stripe, customer, price)

        current = gateway.subscription(number)
        assert (current.status, current.price_id, current.customer_id) == ("active", price.id, customer)
        assert [found.id for found in gateway.subscriptions_of(customer)] == [number]
        assert [found.id for found in gateway.all_subscriptions()] == [number]
        (first,) = gateway.invoices_of(number)
        assert gateway.invoice(first.id) == first
        assert (first.subscription_id, first.price_id, first.amount_paid_cents) == (number, price.id, 9900)
        assert (first.period_start, first.period_end) == (current.period_start, current.period_end)
        assert [found.id for found in gateway.paid_invoices_since(began)] == [first.id]
        charge = gateway.charge_of_invoice(first.id)
        assert charge is not None
        assert charge.paid_with == "Visa card ending in 4242"
        assert gateway.charge_of_intent(charge.payment_intent_id) == charge
        assert gateway.invoice_of_intent(charge.payment_intent_id) == first

        sums = gateway.preview_change(current=current, price_id=big.id, priced_at=current.period_start)
        assert (sums.due_now_cents, sums.charged_cents, sums.credited_cents) == (10000, 19900, 9900)
        changed = gateway.change_now(current=current, price_id=big.id, priced_at=current.period_start, key="change")
        assert gateway.invoice(changed).amount_paid_cents == 10000
        assert gateway.invoice(changed).credited_price_id == price.id
        gateway.change_at_period_end(current=gateway.subscription(number), price_id=small.id, key="smaller")
        planned = gateway.subscription(number)
        assert planned.next_price_id == small.id
        gateway.release_schedule(planned.schedule_id)
        assert gateway.subscription(number).schedule_id == ""
        gateway.cancel_at_period_end(number)
        ending = gateway.subscription(number)
        assert ending.ends_at == ending.period_end
        gateway.keep(ending)
        assert gateway.subscription(number).ends_at is None
        client.call(lambda v1: v1.subscriptions.update(number, {"cancel_at": int(current.period_end.timestamp())}))
        gateway.keep(gateway.subscription(number))
        assert gateway.subscription(number).ends_at is None

        configuration, is_new = gateway.save_portal(configuration_id="", **PORTAL)
        assert is_new
        assert gateway.save_portal(configuration_id=configuration, **PORTAL) == (configuration, False)
        assert gateway.save_portal(
            configuration_id=configuration, **(PORTAL | {"privacy_url": "http://testserver/p/"})
        ) == (configuration, True)
        page = {"customer_id": customer, "return_url": "http://testserver/", "configuration_id": configuration}
        assert gateway.hosted(gateway.portal_url(**page)).startswith(stripe.site)
        assert gateway.portal_url(**page, flow="payment_method_update").startswith(stripe.site)

        asked = {"payment_intent_id": charge.payment_intent_id, "amount_cents": 500, "metadata": {"refund": "row"}}
        refund = gateway.create_refund(**asked, key="refund")  # type: ignore[arg-type]
        assert gateway.create_refund(**asked, key="refund") == refund  # type: ignore[arg-type]
        assert gateway.refund(refund.id) == refund
        assert gateway.refunds_of(charge.payment_intent_id) == [refund]
        opened = stripe.open_dispute(charge.id)
        dispute = gateway.dispute(opened["id"])
        assert (dispute.amount_cents, dispute.payment_intent_id) == (9400, charge.payment_intent_id)

        gateway.cancel_now(number)
        assert gateway.subscription(number).status == "canceled"
        gateway.delete_customer(customer)
        assert not gateway.customer_exists(customer)
        gateway.retire_price(big.id)
        assert not {found.id: found for found in gateway.prices_of(product.id)}[big.id].is_active
        types_of_events = {event["type"] for event in gateway.events_since(began, ["invoice.paid", "charge.refunded"])}
        assert types_of_events == {"invoice.paid", "charge.refunded"}
        body, seal = signed_post()
        assert gateway.is_signed(body, seal, ["whsec_old", SECRET])
        assert not gateway.is_signed(body, seal, ["whsec_old"])


PORTAL = {
    "privacy_url": "http://testserver/privacy/",
    "terms_url": "http://testserver/terms/",
    "return_url": "http://testserver/",
}
SECRET = "whsec_test"


def signed_post() -> tuple[bytes, gateway.Seal]:
    body = '{"id": "evt_1"}'
    seal = gateway.Seal.read(package.WebhookSignature.generate_signature_header(body, SECRET))
    assert seal is not None
    return body.encode(), seal


def functions() -> set[str]:
    return {name for name in gateway.__all__ if inspect.isfunction(getattr(gateway, name))}


def test_every_function_does_what_it_says(stripe: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()

    def counted(name: str, real: Any) -> Any:
        def function(*args: Any, **kwargs: Any) -> Any:
            used.add(name)
            return real(*args, **kwargs)

        return function

    for name in functions():
        monkeypatch.setattr(gateway, name, counted(name, getattr(gateway, name)))

    everything(stripe)

    assert functions() - used == set()


# --- Names ----------------------------------------------------------------------------------------------
# A method of one of the package's services: which parameters it takes, and which request it makes of them.
_TAKES = re.compile(r"params: .*?(\w+Params)\b", re.DOTALL)
_SENDS = re.compile(r'self\._request\(\s*"(\w+)",\s*"([^"]+)"')


@cache
def operations() -> dict[tuple[str, str], type]:
    """Method and path of every request the installed package can make, and the TypedDict of its parameters."""
    found: dict[tuple[str, str], type] = {}
    root = Path(package.__path__[0])
    for path in [
        *root.glob("_*_service.py"),
        *root.glob("checkout/*_service.py"),
        *root.glob("billing_portal/*_service.py"),
    ]:
        source = path.read_text()
        for method in source.split("\n    def ")[1:]:
            takes, sends = _TAKES.search(method), _SENDS.search(method)
            if takes and sends:
                where = re.search(rf"from (stripe\.params\S*) import \(?\s*{takes[1]}\b", source)
                assert where, takes[1]
                found[sends[1], re.sub(r"\{\w+\}", "*", sends[2])] = getattr(import_module(where[1]), takes[1])
    return found


def params_of(method: str, path: str) -> type:
    """The one whose path has the fewest places for an id, where several fit."""
    fitting = [
        (pattern.count("*"), pattern)
        for verb, pattern in operations()
        if verb == method and re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]+"), path)
    ]
    return operations()[method, min(fitting)[1]]


def unknown_names(value: Any, hint: Any, where: str) -> list[str]:
    """The names inside ``value`` that the type does not have."""
    if get_origin(hint) in (Union, types.UnionType):
        options = [option for option in get_args(hint) if isinstance(value, dict | list)]
        found = [unknown_names(value, option, where) for option in options if _may_hold(option, value)]
        return min(found, key=len) if found else []
    if is_typeddict(hint) and isinstance(value, dict):
        # The options of every request name types that the package only gives to type checkers.
        known = get_type_hints(hint, localns={"StripeContext": Any, "Mapping": Mapping})
        strange = [f"{where}.{name}" for name in value if name not in known]
        return strange + [
            name
            for key, inner in value.items()
            if key in known
            for name in unknown_names(inner, known[key], f"{where}.{key}")
        ]
    if get_origin(hint) is list and isinstance(value, list):
        return [name for inner in value for name in unknown_names(inner, get_args(hint)[0], f"{where}[]")]
    return []


def _may_hold(option: Any, value: Any) -> bool:
    if isinstance(value, list):
        return get_origin(option) is list
    return is_typeddict(option)


@pytest.fixture
def requests_sent(stripe: StandIn, monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request of ``everything``, as it was given to the package."""
    sent: list[Request] = []
    real = StripeService._request

    def record(self: Any, method: str, url: str, params: Any = None, **rest: Any) -> Any:
        sent.append((method, url, dict(params or {})))
        return real(self, method, url, params=params, **rest)

    monkeypatch.setattr(StripeService, "_request", record)
    everything(stripe)
    return sent


def test_every_name_we_send_is_one_of_the_installed_package(requests_sent: list[Request]) -> None:
    strange = [
        name
        for method, path, params in requests_sent
        for name in unknown_names(params, params_of(method, path), f"{method} {path}")
    ]

    assert strange == []
    assert len({(method, re.sub(r"_\w{8,}", "", path)) for method, path, _ in requests_sent}) > 25


def test_a_name_that_is_no_more_would_be_found() -> None:
    """The control: what was taken away in newer versions, at the top, in a list and deep inside."""
    kind = params_of("post", "/v1/checkout/sessions")
    sent = {
        "payment_method_types": ["card"],
        "line_items": [{"price": "price_1", "amount": 100}],
        "subscription_data": {"metadata": {"anything": "goes"}, "coupon": "c"},
    }

    assert unknown_names(sent, kind, "") == [
        ".payment_method_types",
        ".line_items[].amount",
        ".subscription_data.coupon",
    ]


# --- Bad days -------------------------------------------------------------------------------------------
def test_stripe_that_cannot_be_reached_is_unavailable_and_after_five_times_nobody_waits(stripe: StandIn) -> None:
    with stripe.refusing():
        for _ in range(client.FAULTS_IN_A_ROW):
            with pytest.raises(exceptions.StripeUnavailable):
                gateway.session("cs_test_1")

    before = len(stripe.calls)
    with pytest.raises(exceptions.StripeUnavailable):
        gateway.session("cs_test_1")  # it is back, but we rest
    assert len(stripe.calls) == before
    client.breaker.rests_until = 0.0
    with pytest.raises(exceptions.StripeMissing):
        gateway.session("cs_test_1")
    assert client.breaker.faults == 0


def test_a_page_elsewhere_is_no_page_of_stripes(stripe: StandIn) -> None:
    assert gateway.hosted(f"{stripe.site}/c/pay/cs_1")
    for url in ("", "https://evil.example/c/pay", f"{stripe.site}.evil.example/", f"{stripe.site}@evil.example/"):
        with pytest.raises(exceptions.StripeUnavailable):
            gateway.hosted(url)


def test_one_key_in_other_words_is_refused(stripe: StandIn) -> None:
    gateway.create_customer(email="a@example.com", name="", user_id=7, key="one")

    with pytest.raises(exceptions.StripeRefused) as refusal:
        gateway.create_customer(email="b@example.com", name="", user_id=7, key="one")

    assert refusal.value.code == "idempotency"


def test_a_declined_card_is_told_apart(stripe: StandIn) -> None:
    product = gateway.create_product(name="Standard plan", plan_name="standard", key="product")
    price, big = a_price(product.id, 9900), a_price(product.id, 19900, "premium")
    customer = gateway.create_customer(email="a@example.com", name="", user_id=7, key="customer")
    current = gateway.subscription(a_plan(stripe, customer, price, DECLINED_LATER))

    with pytest.raises(exceptions.CardDeclined) as refusal:
        gateway.change_now(current=current, price_id=big.id, priced_at=current.period_start, key="change")

    assert refusal.value.code == "card_declined"
    assert gateway.subscription(current.id) == current


def test_a_payment_that_is_disputed_can_be_looked_up(stripe: StandIn) -> None:
    product = gateway.create_product(name="Standard plan", plan_name="standard", key="product")
    customer = gateway.create_customer(email="a@example.com", name="", user_id=7, key="customer")
    number = a_plan(stripe, customer, a_price(product.id, 9900), DISPUTED_CARD)
    charge = gateway.charge_of_invoice(gateway.invoices_of(number)[0].id)
    assert charge is not None

    (found,) = client.call(lambda v1: v1.disputes.list({"charge": charge.id}))["data"]

    assert not gateway.dispute(found["id"]).is_closed


def test_lists_are_read_page_by_page(stripe: StandIn) -> None:
    made = {gateway.create_customer(email=f"{n}@example.com", name="", user_id=n, key=str(n)) for n in range(5)}

    found = list(client.each(lambda v1, params: v1.customers.list(params), {"limit": 2}))

    assert {one["id"] for one in found} == made
    assert len([one for one in stripe.calls if one.method == "GET"]) == 3
