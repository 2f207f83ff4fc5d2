"""Make the three plans exist. Run at every start; prices that staff changed are kept."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from billing.models import CourseInclusion, Plan, PlanTier, SupportTier

PLANS: dict[str, dict[str, Any]] = {
    "basic": {
        "display_name": "Basic",
        "description": "For a question now and then.",
        "price_in_cents": 4900,
        "tier": PlanTier.BASIC,
        "session_limit": 2,
        "course_inclusion": CourseInclusion.NONE,
        "family_size": 1,
        "support_tier": SupportTier.EMAIL,
        "featured": False,
    },
    "standard": {
        "display_name": "Standard",
        "description": "For one or two people who want steady help.",
        "price_in_cents": 9900,
        "tier": PlanTier.STANDARD,
        "session_limit": 5,
        "course_inclusion": CourseInclusion.PARTIAL,
        "family_size": 2,
        "support_tier": SupportTier.PRIORITY,
        "featured": True,
    },
    "premium": {
        "display_name": "Premium",
        "description": "For a whole family, as often as you like.",
        "price_in_cents": 19900,
        "tier": PlanTier.PREMIUM,
        "session_limit": 0,
        "course_inclusion": CourseInclusion.FULL,
        "family_size": 5,
        "support_tier": SupportTier.PREMIUM,
        "featured": False,
    },
}


class Command(BaseCommand):
    help = "Create the Basic, Standard and Premium plans where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, fields in PLANS.items():
            # Old databases may spell the name otherwise; the tier is what the code means.
            if not Plan.objects.filter(tier=fields["tier"]).exists():
                Plan.objects.create(name=name, **fields)
                self.stdout.write(f"Plan {name} created.")
