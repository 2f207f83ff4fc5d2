"""What each page costs beside a view with one query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle

from benchmarks.load import request
from benchmarks.measure import Meter, Series
from benchmarks.people import Visitors
from benchmarks.shape import Windows
from benchmarks.stage import WebServer


@dataclass
class Page:
    """One row: the page, who looks at it, and the most it may cost (times the one query; statements)."""

    name: str
    path: str
    signed_in: bool = False
    cold: bool = False
    most_cost: float | None = None
    most_statements: int | None = None
    series: Series = field(default_factory=Series)


def all_pages(slot: str) -> list[Page]:
    return [
        Page("/ signed out", "/", most_cost=2, most_statements=1),
        Page("/booking/ signed out, 200 times, list kept", "/booking/", most_cost=4, most_statements=2),
        Page("/booking/ signed out, list rendered each time", "/booking/", cold=True, most_cost=12),
        Page("/booking/ signed in", "/booking/", signed_in=True, most_cost=8, most_statements=6),
        Page("check page of one time", f"/booking/{slot}/", signed_in=True),
        Page("/dashboard/", "/dashboard/", signed_in=True, most_cost=8, most_statements=8),
        Page("/booking/visits/", "/booking/visits/", signed_in=True, most_cost=6, most_statements=5),
        Page("log-in page", "/accounts/login/"),
    ]


@dataclass
class PageResults:
    one_query: Series
    pages: list[Page]


def measure_pages(
    meter: Meter,
    visitors: Visitors,
    *,
    product: WebServer,
    cold: WebServer,
    bare: WebServer,
    windows: Windows,
    pages: list[Page],
    say: Callable[[str], None],
) -> PageResults:
    """Every page in every round, each right after a window of the one-query view."""
    one_query = Series()
    for page in pages:
        server = cold if page.cold else product
        visitors.look(page.path, 0 if page.signed_in else None)
        requests = visitors.page(page.path, signed_in=page.signed_in)
        meter.window(server, requests, seconds=windows.warm_up, what=page.name)
    meter.window(bare, cycle([request("/one/")]), seconds=windows.warm_up, what="one query")
    for number in range(windows.rounds):
        say(f"Pages, round {number + 1} of {windows.rounds} …")
        for page in pages:
            yardstick = meter.window(bare, cycle([request("/one/")]), seconds=windows.yardstick, what="one query")
            one_query.add(yardstick)
            sample = meter.window(
                cold if page.cold else product,
                visitors.page(page.path, signed_in=page.signed_in),
                seconds=windows.page,
                what=page.name,
            )
            page.series.add(sample, yardstick)
    return PageResults(one_query, pages)
