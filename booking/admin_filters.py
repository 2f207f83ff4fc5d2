"""How staff narrow the lists of times and bookings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from settings_app.services import business_zone


class WhenFilter(admin.SimpleListFilter):
    """What is coming up first; the past on request."""

    title = "when"
    parameter_name = "when"
    field = "start_time"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("today", "Today"), ("past", "Past"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        for number, choice in enumerate(super().choices(changelist)):
            yield {**choice, "display": "Coming up"} if number == 0 else choice

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        if self.value() == "today":
            start = now.astimezone(business_zone()).replace(hour=0, minute=0, second=0, microsecond=0)
            return queryset.filter(**{f"{self.field}__gte": start, f"{self.field}__lt": start + timedelta(days=1)})
        if self.value() == "past":
            return queryset.filter(**{f"{self.field}__lt": now}).order_by(f"-{self.field}")
        if self.value() == "all":
            return queryset
        return queryset.filter(**{f"{self.field}__gte": now - timedelta(hours=2)})


class BookingWhenFilter(WhenFilter):
    field = "event__start_time"


class DeputyFilter(admin.SimpleListFilter):
    """One's own first, then staff only: a list of all people would be one of a million."""

    title = "deputy"
    parameter_name = "deputy"
    field = "deputy_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        staff = User.objects.staff().order_by("name")[:50]
        return [("mine", "Mine"), *((str(person.pk), str(person)) for person in staff)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value == "mine":
            return queryset.filter(**{self.field: request.user.pk})
        return queryset.filter(**{self.field: int(value)}) if value.isdecimal() and len(value) < 10 else queryset


class BookingDeputyFilter(DeputyFilter):
    field = "event__deputy_id"
