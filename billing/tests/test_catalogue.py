"""Plans, prices and the portal at Stripe: made once, found again, and told of what changes."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import gateway
from billing.checks import stripe_settings
from billing.exceptions import StripeUnavailable
from billing.gateway.client import call
from billing.models import Plan, PlanPrice
from billing.services import catalogue
from billing.tests.crashes import Crash, crash
from billing.tests.factories import make_plan
from sandbox.stripe import StandIn
from settings_app.models import Setting
from settings_app.services import value

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan() -> Plan:
    return make_plan(name="standard", display_name="Standard", price_in_cents=9900)


def products() -> list[str]:
    return [item["name"] for item in call(lambda v1: v1.products.list({}))["data"]]


def prices(plan: Plan) -> dict[str, gateway.StripePrice]:
    plan.refresh_from_db()
    return {price.id: price for price in gateway.prices_of(plan.stripe_product_id)}


def portals() -> int:
    return len(call(lambda v1: v1.billing_portal.configurations.list({}))["data"])


def writes(stripe: StandIn) -> int:
    return len([one for one in stripe.calls if one.method != "GET"])


def test_a_plan_gets_a_product_and_a_price(stripe: StandIn, plan: Plan) -> None:
    row = catalogue.current_price(plan)

    assert products() == ["Standard plan"]
    (price,) = prices(plan).values()
    assert (price.id, price.amount_cents, price.lookup_key) == (row.stripe_price_id, 9900, "standard_monthly")
    assert price.is_active
    assert price.is_monthly
    assert (row.plan, row.price_in_cents, row.is_current) == (plan, 9900, True)


def test_a_known_price_costs_one_statement_and_no_call(stripe: StandIn, plan: Plan) -> None:
    first = catalogue.current_price(plan)
    before = len(stripe.calls)

    with CaptureQueriesContext(
        connection,
    ) as statements:
        again = catalogue.current_price(plan)

    assert again == first
    assert len(statements) == 1
    assert len(stripe.calls) == before


def test_a_new_amount_is_a_new_price_and_the_old_one_still_names_its_plan(stripe: StandIn, plan: Plan) -> None:
    old = catalogue.current_price(plan)
    Plan.objects.update(price_in_cents=10900)

    new = catalogue.current_price(plan)  # by a row that somebody read before the change

    assert new.price_in_cents == 10900
    at_stripe = prices(plan)
    assert at_stripe[new.stripe_price_id].lookup_key == "standard_monthly"
    assert not at_stripe[old.stripe_price_id].is_active
    assert at_stripe[old.stripe_price_id].lookup_key == ""
    old.refresh_from_db()
    assert (old.plan, old.is_current) == (plan, False)


def test_an_amount_that_comes_back_is_a_third_price(stripe: StandIn, plan: Plan) -> None:
    numbers = []
    for cents in (9900, 10900, 9900, 10900):
        Plan.objects.update(price_in_cents=cents)
        numbers.append(catalogue.current_price(plan).stripe_price_id)

    assert len(set(numbers)) == 4
    assert [price.id for price in prices(plan).values() if price.is_active] == numbers[-1:]
    assert PlanPrice.objects.get(is_current=True).stripe_price_id == numbers[-1]


def test_an_amount_changed_while_stripe_was_asked_does_not_stay_current(
    stripe: StandIn, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gateway.create_monthly_price

    def slowly(**asked: object) -> gateway.StripePrice:
        Plan.objects.update(price_in_cents=10900)
        return real(**asked)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "create_monthly_price", slowly)
        catalogue.current_price(plan)
    assert not PlanPrice.objects.filter(is_current=True).exists()

    assert catalogue.current_price(plan).price_in_cents == 10900


def test_a_database_set_up_anew_finds_what_is_at_stripe(stripe: StandIn, plan: Plan) -> None:
    row = catalogue.current_price(plan)
    PlanPrice.objects.all().delete()
    Plan.objects.update(stripe_product_id="")

    again = catalogue.current_price(plan)

    assert again.stripe_price_id == row.stripe_price_id
    assert len(products()) == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["create_product", "create_monthly_price"])
def test_a_run_cut_short_makes_nothing_twice(
    stripe: StandIn, plan: Plan, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    with crash(monkeypatch, gateway, step, when), pytest.raises(Crash):
        catalogue.current_price(plan)

    catalogue.current_price(plan)

    assert len(products()) == len(prices(plan)) == 1


# --- The command ----------------------------------------------------------------------------------------
def test_the_command_brings_everything_and_a_second_run_writes_nothing(
    stripe: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("seed_plans")
    capsys.readouterr()

    call_command("sync_stripe")
    first = capsys.readouterr().out
    before, settings_before = writes(stripe), list(Setting.objects.values())
    call_command("sync_stripe")

    assert first.splitlines() == [
        "Basic: new people pay $49 a month.",
        "Standard: new people pay $99 a month.",
        "Premium: new people pay $199 a month.",
        "The portal has its present configuration.",
    ]
    assert capsys.readouterr().out == "Stripe has everything already.\n"
    assert writes(stripe) == before
    assert list(Setting.objects.values()) == settings_before
    assert PlanPrice.objects.filter(is_current=True).count() == 3


def test_the_portal_may_not_change_the_plan_and_stops_at_the_periods_end(stripe: StandIn) -> None:
    catalogue.sync_all()

    made = call(lambda v1: v1.billing_portal.configurations.retrieve(value(catalogue.PORTAL)))
    features = made["features"]
    assert not features["subscription_update"]["enabled"]
    assert not features["subscription_pause"]["enabled"]
    assert features["subscription_cancel"]["mode"] == "at_period_end"
    assert features["payment_method_update"]["enabled"]
    assert made["default_return_url"] == "http://testserver/subscriptions/mine/"


def test_a_portal_changed_by_hand_is_put_right_without_making_another(stripe: StandIn) -> None:
    catalogue.sync_all()
    number = value(catalogue.PORTAL)
    wrong = {"features": {"subscription_cancel": {"enabled": True, "mode": "immediately"}}}
    call(lambda v1: v1.billing_portal.configurations.update(number, wrong))

    assert catalogue.sync_all() == ["The portal has its present configuration."]

    assert value(catalogue.PORTAL) == number
    assert catalogue.sync_all() == []


def test_a_portal_made_by_a_run_that_died_is_found_again(stripe: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    with crash(monkeypatch, gateway, "save_portal", "after"), pytest.raises(Crash):
        catalogue.sync_all()

    catalogue.sync_all()

    assert portals() == 1


def test_a_plan_with_another_name_keeps_its_product(stripe: StandIn, plan: Plan) -> None:
    catalogue.sync_all()
    Plan.objects.update(display_name="Family")

    assert catalogue.sync_all() == ["Family: the product has its present name."]

    assert products() == ["Family plan"]
    assert catalogue.sync_all() == []


def test_an_old_price_that_stayed_on_offer_is_retired(
    stripe: StandIn, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = catalogue.current_price(plan)
    Plan.objects.update(price_in_cents=10900)
    with crash(monkeypatch, gateway, "retire_price", "before"), pytest.raises(Crash):
        catalogue.current_price(plan)
    assert prices(plan)[old.stripe_price_id].is_active

    done = catalogue.sync_all()

    assert "Standard: nobody new can pay $99 any more." in done
    assert not prices(plan)[old.stripe_price_id].is_active


def test_a_price_retired_by_hand_is_made_anew(stripe: StandIn, plan: Plan) -> None:
    catalogue.sync_all()
    row = PlanPrice.objects.get()
    gateway.retire_price(row.stripe_price_id)

    catalogue.sync_all()

    assert PlanPrice.objects.get(is_current=True).stripe_price_id != row.stripe_price_id
    assert catalogue.sync_all() == []


def test_numbers_of_another_account_are_replaced(stripe: StandIn, plan: Plan) -> None:
    Plan.objects.update(stripe_product_id="prod_elsewhere")
    PlanPrice.objects.create(plan=plan, stripe_price_id="price_elsewhere", price_in_cents=9900)

    catalogue.sync_all()

    plan.refresh_from_db()
    assert plan.stripe_product_id not in ("", "prod_elsewhere")
    assert PlanPrice.objects.get(is_current=True).stripe_price_id in prices(plan)
    assert catalogue.sync_all() == []


def test_a_plan_that_is_off_offer_is_left_alone(stripe: StandIn, plan: Plan) -> None:
    Plan.objects.update(is_offered=False)

    catalogue.sync_all()

    assert products() == []


def test_the_command_says_that_stripe_is_down_and_goes_on_later(stripe: StandIn, plan: Plan) -> None:
    with stripe.refusing(), pytest.raises(CommandError, match="run this command again"):
        call_command("sync_stripe")
    with pytest.raises(StripeUnavailable), stripe.refusing():
        catalogue.sync_all()

    call_command("sync_stripe", verbosity=0)

    assert len(products()) == 1


# --- Checks ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "wrong", "number"),
    [
        ("STRIPE_SECRET_KEY", "pk_test_1", "billing.E001"),
        ("STRIPE_SECRET_KEY", "sk_live_1", "billing.E002"),
        ("STRIPE_PUBLISHABLE_KEY", "pk_live_1", "billing.E002"),
        ("STRIPE_WEBHOOK_SECRETS", ["whsec_1", "we_1"], "billing.E003"),
        ("STRIPE_API_BASE", "http://stripe.example", "billing.E004"),
    ],
)
def test_a_wrong_setting_is_named_and_never_shown(settings: object, name: str, wrong: object, number: str) -> None:
    assert stripe_settings(None) == []
    setattr(settings, name, wrong)

    (found,) = stripe_settings(None)

    assert found.id == number
    assert name in found.msg
    assert str(wrong) not in f"{found.msg} {found.hint}"


def test_another_version_of_stripes_api_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.checks.API_VERSION", "2027-01-27.fern")

    assert [found.id for found in stripe_settings(None)] == ["billing.E005"]
