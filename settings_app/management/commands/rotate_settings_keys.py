"""Seal the encrypted settings anew under the first key of SETTINGS_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.actors import Actor
from settings_app import services
from settings_app.exceptions import CannotDecrypt


class Command(BaseCommand):
    help = "Re-encrypts every secret setting with the first key of SETTINGS_KEYS. Afterwards old keys may go."

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            count = services.rotate_keys(actor=Actor.system())
        except CannotDecrypt as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"Sealed anew: {count}.")
