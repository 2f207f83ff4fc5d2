"""Bring the database up to date: migrations and seeds in one process, so that a start pays for Django once."""

from __future__ import annotations

import logging
import os
import sys

import django
from django.conf import settings
from django.core.management import call_command

STRIPE = "https://api.stripe.com"
"""The true Stripe is told by hand: ``manage.py sync_stripe``."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techdeputies.settings")
    django.setup()
    logging.disable(logging.INFO)  # the person at the keyboard reads what the commands print
    call_command("migrate", interactive=False, verbosity=0)
    call_command("seed_plans", verbosity=0)
    call_command("seed_email_templates", verbosity=0)
    call_command("seed_groups", verbosity=0)
    if "--demo" in sys.argv[1:]:
        call_command("seed_demo")
    if settings.STRIPE_API_BASE != STRIPE:
        call_command("sync_stripe", verbosity=0)


if __name__ == "__main__":
    main()
