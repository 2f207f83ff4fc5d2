"""The money and the plans of the last months, as staff look at them: each month by the business's own clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time

from django.db import connection
from django.utils import timezone

from billing.models import PaymentKind
from settings_app.services import business_zone
from techdeputies.lib.times import MONTHS

MONTHS_SHOWN = 24

_MONEY = """
SELECT date_trunc('month', paid_at AT TIME ZONE %(zone)s)::date, kind, SUM(amount_cents)
  FROM payments WHERE paid_at >= %(since)s GROUP BY 1, 2
UNION ALL
SELECT date_trunc('month', created_at AT TIME ZONE %(zone)s)::date, 'back', SUM(amount_cents)
  FROM refunds WHERE created_at >= %(since)s AND state NOT IN ('failed', 'canceled') GROUP BY 1
UNION ALL
SELECT date_trunc('month', closed_at AT TIME ZONE %(zone)s)::date, 'lost', SUM(amount_cents)
  FROM disputes WHERE closed_at >= %(since)s AND status = 'lost' GROUP BY 1
"""

# Rows of before Stripe told us ends have none; their time was over when the paid one was.
_PLANS = """
WITH bought AS MATERIALIZED (
    SELECT COALESCE(stripe_created_at, created_at) AS begun,
           CASE WHEN status IN ('active', 'past_due') THEN NULL
                ELSE COALESCE(ended_at, current_period_end) END AS over
      FROM user_subscriptions
     WHERE stripe_subscription_id IS NOT NULL AND duplicate_of_id IS NULL
)
SELECT date_trunc('month', begun AT TIME ZONE %(zone)s)::date, 'begun', COUNT(*)
  FROM bought WHERE begun >= %(since)s GROUP BY 1
UNION ALL
SELECT date_trunc('month', over AT TIME ZONE %(zone)s)::date, 'over', COUNT(*)
  FROM bought WHERE over >= %(since)s AND over <= %(now)s GROUP BY 1
UNION ALL
SELECT NULL, 'before', COUNT(*) FROM bought WHERE begun < %(since)s AND (over IS NULL OR over >= %(since)s)
"""


@dataclass
class Month:
    """One month; sums in US cents. ``running`` is the number of bought plans at its end, or now."""

    first_day: date
    by_kind: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PaymentKind.values, 0))
    back_cents: int = 0
    lost_cents: int = 0
    new_plans: int = 0
    ended_plans: int = 0
    running: int = 0

    @property
    def name(self) -> str:
        """``November 2026``."""
        return f"{MONTHS[self.first_day.month - 1]} {self.first_day.year}"

    @property
    def in_cents(self) -> int:
        return sum(self.by_kind.values())

    @property
    def gone_cents(self) -> int:
        """Refunds, by the day they were decided, and what banks took back."""
        return self.back_cents + self.lost_cents

    @property
    def net_cents(self) -> int:
        return self.in_cents - self.gone_cents


def months(*, now: datetime | None = None) -> list[Month]:
    """The last ``MONTHS_SHOWN`` months, the present one last. Two statements, however much there is."""
    zone = business_zone()
    now = now or timezone.now()
    shown = [Month(first_day) for first_day in _first_days(now.astimezone(zone).date())]
    since = datetime.combine(shown[0].first_day, time.min, tzinfo=zone)
    values: dict[str, str | datetime] = {"zone": zone.key, "since": since, "now": now}
    money = _ask(_MONEY, values)
    plans = _ask(_PLANS, values)
    running = plans[None]["before"]
    for month in shown:
        found = money[month.first_day]
        month.by_kind = {kind: found[kind] for kind in PaymentKind.values}
        month.back_cents, month.lost_cents = found["back"], found["lost"]
        month.new_plans, month.ended_plans = plans[month.first_day]["begun"], plans[month.first_day]["over"]
        running += month.new_plans - month.ended_plans
        month.running = running
    return shown


def _first_days(today: date) -> list[date]:
    last = today.year * 12 + today.month - 1
    return [date(number // 12, number % 12 + 1, 1) for number in range(last - MONTHS_SHOWN + 1, last + 1)]


def _ask(sql: str, values: dict[str, str | datetime]) -> dict[date | None, dict[str, int]]:
    found: dict[date | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for first_day, name, number in cursor.fetchall():
            found[first_day][name] += int(number)
    return found
