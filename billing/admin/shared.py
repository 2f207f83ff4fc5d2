"""What the pages of plans and money share: words, links to Stripe's dashboard, and a filter for what is open."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.models import UserSubscription
from billing.services import events

PERSON_HELP = "A person's name or mail address."
PERSON_OR_STRIPE_HELP = "A person's name or mail address, or a whole number of Stripe's."
WRITE_REASON = {"required": "Write the reason, for the staff's own record."}

STRIPE = "https://api.stripe.com"
DASHBOARD = "https://dashboard.stripe.com"


def at_stripe(part: str, number: str | None) -> SafeString | str:
    """The number as a link into Stripe's dashboard; plain where the payments are practice ones."""
    if not number:
        return ""
    if settings.STRIPE_API_BASE.rstrip("/") != STRIPE:
        return number
    mode = "" if events.is_live() else "/test"
    return format_html('<a href="{}{}/{}/{}" rel="noreferrer">{}</a>', DASHBOARD, mode, part, number, number)


def plan_words(subscription: UserSubscription | None) -> str:
    """``Standard, active``."""
    if subscription is None:
        return ""
    return f"{subscription.plan.display_name}, {subscription.get_status_display().lower()}"


class OpenFilter(admin.SimpleListFilter):
    """Whether something still waits. ``column`` is empty while it does."""

    column: str
    words: tuple[str, str] = ("Open", "Done")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", self.words[0]), ("done", self.words[1])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("open", "done"):
            return queryset
        return queryset.filter(**{f"{self.column}__isnull": self.value() == "open"})
