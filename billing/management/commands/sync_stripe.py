"""Bring plans, prices and the portal's configuration to Stripe. May run at any time; a second run does nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import gateway
from billing.exceptions import StripeRefused, StripeUnavailable
from billing.services import catalogue


class Command(BaseCommand):
    help = "Bring plans, prices and the portal's configuration to Stripe."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with gateway.retrying():
                done = catalogue.sync_all()
        except StripeUnavailable:
            raise CommandError("Stripe cannot be reached. Nothing is lost: run this command again.") from None
        except StripeRefused as refusal:
            raise CommandError(f"Stripe did not accept this: {refusal.detail or refusal.code}") from None
        if options["verbosity"] > 0:
            for words in done or ["Stripe has everything already."]:
                self.stdout.write(words)
