"""Inside the product: so many people with a plan bought at the stand-in for Stripe; the subscriptions as JSON."""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import requests
from django.utils import timezone

from accounts.models import User
from billing import gateway
from billing.models import Plan
from billing.services import catalogue, syncing

CARD = "4242424242424242"


def main() -> None:
    """Standard input: how many."""
    count = json.load(sys.stdin)["count"]
    plan = Plan.objects.get(tier="standard")
    price = catalogue.current_price(plan).stripe_price_id
    numbers = [subscribe(number, plan, price) for number in range(count)]
    json.dump({"subscriptions": numbers}, sys.stdout)


def subscribe(number: int, plan: Plan, price: str) -> str:
    user = User.objects.create(email=f"subscriber{number}@example.com", email_verified=True, password="!")
    customer = gateway.create_customer(email=user.email, name="", user_id=user.pk, key=f"bench:{user.pk}")
    User.objects.filter(pk=user.pk).update(stripe_customer_id=customer)
    session = gateway.create_plan_session(
        checkout_id=f"bench{number}",
        customer_id=customer,
        user_id=user.pk,
        price_id=price,
        plan_name=plan.name,
        expires_at=timezone.now() + timedelta(minutes=35),
        success_url="http://127.0.0.1/billing/return/?session_id={CHECKOUT_SESSION_ID}",
        cancel_url="http://127.0.0.1/subscriptions/",
        key=f"bench:session:{user.pk}",
    )
    requests.post(session.url, data={"card": CARD}, allow_redirects=False, timeout=10)
    subscription = gateway.session(session.id).subscription_id
    for invoice in gateway.invoices_of(subscription):
        syncing.sync_invoice(invoice.id)
    return subscription


if __name__ == "__main__":
    main()
