"""Make the groups of staff exist. Run at every start."""

from typing import Any

from django.core.management.base import BaseCommand

from techdeputies.groups import make_groups


class Command(BaseCommand):
    help = "Creates the groups Owner, Deputy and Support with their rights, where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        for name in make_groups():
            self.stdout.write(f"Group {name} created.")
