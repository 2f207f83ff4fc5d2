"""Our plans at Stripe: a product for each, a price for each amount, and the configuration of the portal.

A price never changes, so a new amount is a new one. The present one of a plan carries the lookup key
``<plan>_monthly`` at Stripe. That key is asked for before anything is made, so a run that was cut short, or a
database that was set up anew, finds what is there instead of making it again.
"""

from __future__ import annotations

import hashlib

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from audit.actors import Actor
from billing import gateway
from billing.exceptions import StripeMissing
from billing.gateway import StripePrice, StripeProduct
from billing.models import Plan, PlanPrice
from settings_app.services import set_value, value
from techdeputies.lib.money import money

logger = structlog.get_logger(__name__)

PORTAL = "stripe_portal_configuration"


def current_price(plan: Plan) -> PlanPrice:
    """What somebody new pays for this plan; made at Stripe when its amount is new there.

    One statement and no call where it is known. Raises StripeUnavailable or StripeRefused.
    """
    return _known_price(plan) or _make_price(plan.pk)


def sync_all() -> list[str]:
    """Bring all plans on offer and the portal to Stripe; what had to be done, in words. A second run does nothing.

    Raises StripeUnavailable; what was done until then stays, and another run goes on.
    """
    done: list[str] = []
    for plan in Plan.objects.filter(is_offered=True).order_by("price_in_cents", "pk"):
        done += _sync_plan(plan)
    _, changed = bring_portal()
    return [*done, "The portal has its present configuration."] if changed else done


# --- Plans ----------------------------------------------------------------------------------------------


def _sync_plan(plan: Plan) -> list[str]:
    done: list[str] = []
    product = _known_product(plan)
    if product is not None and not (product.is_active and product.name == _product_name(plan)):
        gateway.save_product(product_id=product.id, name=_product_name(plan))
        done.append(f"{plan.display_name}: the product has its present name.")
    at_stripe = _prices_by_id(product)
    row = _known_price(plan)
    if row is None or not _is_right(at_stripe.get(row.stripe_price_id), plan):
        row = _make_price(plan.pk)
        done.append(f"{plan.display_name}: new people pay {money(row.price_in_cents)} a month.")
        at_stripe = _prices_by_id(_known_product(row.plan))
    for old in at_stripe.values():
        if old.is_active and old.id != row.stripe_price_id:
            gateway.retire_price(old.id)
            done.append(f"{plan.display_name}: nobody new can pay {money(old.amount_cents)} any more.")
    return done


def _known_price(plan: Plan) -> PlanPrice | None:
    """By the plan's row as it now is; the caller's may be older."""
    return (
        PlanPrice.objects.select_related("plan")
        .filter(plan=plan.pk, is_current=True, price_in_cents=F("plan__price_in_cents"))
        .first()
    )


def _known_product(plan: Plan) -> StripeProduct | None:
    if not plan.stripe_product_id:
        return None
    try:
        return gateway.product(plan.stripe_product_id)
    except StripeMissing:
        # The numbers of another account, as after a change of keys.
        logger.warning("stripe_product_unknown", plan=plan.name, product=plan.stripe_product_id)
        Plan.objects.filter(pk=plan.pk, stripe_product_id=plan.stripe_product_id).update(stripe_product_id="")
        plan.stripe_product_id = ""
        return None


def _prices_by_id(product: StripeProduct | None) -> dict[str, StripePrice]:
    return {} if product is None else {price.id: price for price in gateway.prices_of(product.id)}


def _make_price(plan_id: int) -> PlanPrice:
    plan = Plan.objects.get(pk=plan_id)
    found = gateway.price_of(_lookup_key(plan))
    product_id = plan.stripe_product_id or (found.product_id if found is not None else "") or _make_product(plan)
    if found is None or not _is_right(found, plan) or found.product_id != product_id:
        # Named by what it takes over from: two at once make one, and an amount can come back later.
        before = found.id if found is not None else "none"
        found = gateway.create_monthly_price(
            product_id=product_id,
            amount_cents=plan.price_in_cents,
            lookup_key=_lookup_key(plan),
            key=f"price:{before}:{product_id}:{plan.price_in_cents}",
        )
    row, old = _keep(plan_id, product_id, found)
    for price_id in old:
        _retire(price_id)
    return row


def _make_product(plan: Plan) -> str:
    name = _product_name(plan)
    key = f"product:{plan.pk}:{hashlib.sha256(f'{plan.name}/{name}'.encode()).hexdigest()[:32]}"
    return gateway.create_product(name=name, plan_name=plan.name, key=key).id


@transaction.atomic
def _keep(plan_id: int, product_id: str, found: StripePrice) -> tuple[PlanPrice, list[str]]:
    """Write the price down; its row, and the prices it takes over from."""
    plan = Plan.objects.select_for_update(no_key=True).get(pk=plan_id)
    if plan.stripe_product_id != product_id:
        plan.stripe_product_id = product_id
        plan.save(update_fields=["stripe_product_id", "updated_at"])
    # The amount may have been changed while Stripe was asked; then the next question makes the newer one.
    is_current = plan.price_in_cents == found.amount_cents
    old = PlanPrice.objects.filter(plan=plan, is_current=True).exclude(stripe_price_id=found.id)
    numbers = list(old.values_list("stripe_price_id", flat=True)) if is_current else []
    if is_current:
        old.update(is_current=False)
    row, _ = PlanPrice.objects.update_or_create(
        stripe_price_id=found.id,
        defaults={"plan": plan, "price_in_cents": found.amount_cents, "is_current": is_current},
    )
    return row, numbers


def _retire(price_id: str) -> None:
    try:
        gateway.retire_price(price_id)
    except StripeMissing:
        logger.warning("stripe_price_unknown", price=price_id)


def _is_right(price: StripePrice | None, plan: Plan) -> bool:
    return (
        price is not None
        and price.is_active
        and price.is_monthly
        and price.amount_cents == plan.price_in_cents
        and price.lookup_key == _lookup_key(plan)
    )


def _lookup_key(plan: Plan) -> str:
    return f"{plan.name}_monthly"


def _product_name(plan: Plan) -> str:
    """As people read it on Stripe's page and on the invoice."""
    return f"{plan.display_name} plan"


# --- The portal -----------------------------------------------------------------------------------------


def bring_portal() -> tuple[str, bool]:
    """The number of the portal's configuration, made or brought up to date at Stripe; and whether it had to be."""
    known = value(PORTAL)
    configuration_id, changed = gateway.save_portal(
        configuration_id=known,
        privacy_url=f"{settings.SITE_URL}{reverse('privacy')}",
        terms_url=f"{settings.SITE_URL}{reverse('terms')}",
        return_url=f"{settings.SITE_URL}{reverse('billing:my_plan')}",
    )
    if configuration_id != known:
        set_value(PORTAL, configuration_id, actor=Actor.system())
    return configuration_id, changed
