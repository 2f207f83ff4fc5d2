"""The months of a subscription, counted from its anchor as Stripe counts them."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

from sandbox.stripe.errors import ApiError
from sandbox.stripe.shapes import Object

_LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}


def after(anchor: int, recurring: Object, moment: int) -> int:
    """The first end of a period later than ``moment``. The 31st becomes the last day of a shorter month."""
    count = 1
    while (end := _step(anchor, recurring["interval"], recurring["interval_count"] * count)) <= moment:
        count += 1
    return end


def check_length(recurring: Object, name: str) -> None:
    """Refuse a period of no length, and one longer than Stripe's three years."""
    count = recurring.get("interval_count", 1)
    most = _LONGEST[recurring["interval"]]
    if count < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{name}[interval_count]",
        )
    if count > most:
        raise ApiError(
            f"The interval_count for the interval {recurring['interval']} can be at most {most}.",
            param=f"{name}[interval_count]",
        )


def _step(anchor: int, interval: str, count: int) -> int:
    start = datetime.fromtimestamp(anchor, UTC)
    if interval in ("day", "week"):
        return int((start + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    months = start.year * 12 + start.month - 1 + count * (12 if interval == "year" else 1)
    year, month = divmod(months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def share(amount: int, start: int, end: int, moment: int) -> int:
    """The part of a sum for what is left of a period at ``moment``, to the second, rounded half up."""
    whole = end - start
    left = min(max(end - moment, 0), whole)
    return (2 * amount * left + whole) // (2 * whole)


def day(moment: int) -> str:
    """A date as Stripe writes it into the lines of an invoice: 10 Jun 2026."""
    return datetime.fromtimestamp(moment, UTC).strftime("%-d %b %Y")
