"""An offline stand-in for Stripe: its API, its events, and pages on which people pay with practice cards.

By hand: ``python -m sandbox.stripe --port 8026 --data-dir .local/stripe``. In a test::

    with StandIn() as stripe:
        ...  # open a Checkout Session at stripe.url
        assert stripe.pay(session_id).ok
        stripe.answers(500, faults.accept_then_reset(), on="POST /v1/refunds")
        stripe.renew(subscription_id)
        assert stripe.events[-1]["type"] == "invoice.paid"
"""

from __future__ import annotations

from sandbox.stripe import faults
from sandbox.stripe.config import Config
from sandbox.stripe.faults import Fault
from sandbox.stripe.standin import Call, StandIn

__all__ = ["Call", "Config", "Fault", "StandIn", "faults"]
