"""Fill a development copy with demo data and print the log-ins."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from techdeputies import demo


class Command(BaseCommand):
    help = "Makes demo people, times and bookings, and prints their log-ins. Only with DEBUG on."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.IS_DEVELOPMENT:
            raise CommandError("Demo data has known passwords, so it is made only with DEBUG on.")
        call_command("seed_plans", verbosity=0, stdout=self.stdout)
        demo.make_demo()
        if options["verbosity"] > 0:
            self.stdout.write(self.table())

    @staticmethod
    def table() -> str:
        """Address, password and who it is, in plain columns."""
        rows = [("Mail address", "Password", "Who")]
        rows += [(person.email, demo.PASSWORD, f"{person.name}: {person.words}") for person in demo.PEOPLE]
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows)
