"""The figures of the months: a page with a chart, and a file for a spreadsheet."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone

from audit.mixins import ReadOnlyAdmin
from billing.models import PaymentKind
from billing.services.figures import Month, months
from settings_app.services import business_zone
from techdeputies.lib.bars import Bar, bar_chart
from techdeputies.lib.money import money_list
from techdeputies.lib.sheets import sheet


class FigurePages(ReadOnlyAdmin):
    """Mixed into the admin of payments."""

    def has_figures_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.view_figures")

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        return [
            path("figures/", guard(self.figures_view), name="billing_payment_figures"),
            path("figures.csv", guard(self.figures_file_view), name="billing_payment_figures_file"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may_see = {"may_see_figures": self.has_figures_permission(request)}
        return super().changelist_view(request, {**may_see, **(extra_context or {})})

    def figures_view(self, request: HttpRequest) -> HttpResponse:
        """What came in, what went back, and how many plans run."""
        self.demand(request, self.has_figures_permission(request), "figures")
        shown = months()
        context = {
            "title": f"Figures of {len(shown)} months",
            "now": shown[-1].name,
            "facts": _facts(shown),
            "chart": bar_chart(
                [
                    Bar(
                        month.name,
                        max(0, month.net_cents),
                        "good" if month.net_cents >= 0 else "bad",
                        money_list(month.net_cents),
                    )
                    for month in reversed(shown)
                ],
                label="What was left of each month's money. The table has the same numbers.",
            ),
            "kinds": [kind.label for kind in PaymentKind],
            "lines": [_line(month) for month in reversed(shown)],
        }
        page = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, "admin/billing/payment/figures.html", page)

    def figures_file_view(self, request: HttpRequest) -> HttpResponse:
        """The same as a file. It names nobody."""
        self.demand(request, self.has_figures_permission(request), "figures_file")
        today = timezone.now().astimezone(business_zone()).date()
        head = [
            "Month",
            *(kind.label for kind in PaymentKind),
            "Money in",
            "Refunds",
            "Taken back by banks",
            "Left",
            "New plans",
            "Ended plans",
            "Plans running",
        ]
        rows = (
            [
                f"{month.first_day:%Y-%m}",
                *(_dollars(month.by_kind[kind]) for kind in PaymentKind.values),
                _dollars(month.in_cents),
                _dollars(month.back_cents),
                _dollars(month.lost_cents),
                _dollars(month.net_cents),
                month.new_plans,
                month.ended_plans,
                month.running,
            ]
            for month in months()
        )
        return sheet(f"figures-{today:%Y-%m-%d}.csv", head, rows)


def _dollars(cents: int) -> Decimal:
    return Decimal(cents) / 100


def _facts(shown: list[Month]) -> list[tuple[str, str, str]]:
    present, before = shown[-1], shown[-2]
    return [
        ("Money in", money_list(present.in_cents), f"{money_list(before.in_cents)} the month before"),
        ("Went back", money_list(present.gone_cents), f"{money_list(before.gone_cents)} the month before"),
        ("Left", money_list(present.net_cents), f"{money_list(before.net_cents)} the month before"),
        ("Plans running", f"{present.running:,}", f"{present.new_plans:,} new, {present.ended_plans:,} ended"),
    ]


def _line(month: Month) -> dict[str, Any]:
    return {
        "name": month.name,
        "kinds": [money_list(month.by_kind[kind]) for kind in PaymentKind.values],
        "money_in": money_list(month.in_cents),
        "back": money_list(month.back_cents),
        "lost": money_list(month.lost_cents),
        "net": money_list(month.net_cents),
        "new": f"{month.new_plans:,}",
        "ended": f"{month.ended_plans:,}",
        "running": f"{month.running:,}",
    }
