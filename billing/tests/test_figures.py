"""The figures of the months: by the business's clock, in two statements, and each cent in its place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import make_user
from billing.models import Dispute, Payment, PaymentKind, Refund, RefundState, SubscriptionStatus, UserSubscription
from billing.services.figures import MONTHS_SHOWN, Month, months
from billing.tests.factories import make_subscription

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 18, tzinfo=UTC)


def month(name: str) -> Month:
    return next(found for found in months(now=NOW) if found.name == name)


def pay(when: datetime, cents: int = 9900, kind: PaymentKind = PaymentKind.PLAN_RENEWAL) -> Payment:
    return Payment.objects.create(
        cause=f"invoice:{Payment.objects.count()}", kind=kind, what="Standard plan", amount_cents=cents, paid_at=when
    )


def give_back(payment: Payment, cents: int, when: datetime, state: RefundState = RefundState.SUCCEEDED) -> None:
    refund = Refund.objects.create(payment=payment, amount_cents=cents, state=state)
    Refund.objects.filter(pk=refund.pk).update(created_at=when)


def plan(begun: datetime, over: datetime | None = None, **fields: Any) -> UserSubscription:
    number = UserSubscription.objects.count()
    status = SubscriptionStatus.ACTIVE if over is None else SubscriptionStatus.CANCELLED
    return make_subscription(
        user=make_user(),
        stripe_subscription_id=f"sub_{number}",
        stripe_created_at=begun,
        ended_at=over,
        status=status,
        **fields,
    )


def test_there_are_twenty_four_months_and_the_present_one_is_last() -> None:
    shown = months(now=NOW)

    assert len(shown) == MONTHS_SHOWN == 24
    assert (shown[0].first_day, shown[-1].first_day) == (date(2024, 12, 1), date(2026, 11, 1))
    assert shown[-1].name == "November 2026"


def test_a_month_begins_at_midnight_in_chicago() -> None:
    pay(datetime(2026, 11, 1, 4, 59, tzinfo=UTC), 100)  # 11:59 PM on October 31
    pay(datetime(2026, 11, 1, 5, 0, tzinfo=UTC), 1000)

    assert month("October 2026").in_cents == 100
    assert month("November 2026").in_cents == 1000


def test_money_is_told_by_kind_and_what_went_back_is_taken_off() -> None:
    first = pay(datetime(2026, 10, 5, tzinfo=UTC), 9900, PaymentKind.PLAN_START)
    pay(datetime(2026, 10, 6, tzinfo=UTC), 4900)
    give_back(first, 2500, datetime(2026, 10, 9, tzinfo=UTC))
    give_back(first, 1000, datetime(2026, 10, 10, tzinfo=UTC), RefundState.ASKED)
    give_back(first, 7000, datetime(2026, 10, 11, tzinfo=UTC), RefundState.FAILED)

    found = month("October 2026")
    assert found.by_kind == {"plan_start": 9900, "plan_renewal": 4900, "plan_change": 0}
    assert (found.in_cents, found.back_cents, found.net_cents) == (14800, 3500, 11300)


def test_what_a_bank_took_back_counts_when_it_was_lost() -> None:
    payment = pay(datetime(2026, 9, 5, tzinfo=UTC))
    for status, closed in (("lost", datetime(2026, 10, 5, tzinfo=UTC)), ("won", datetime(2026, 10, 6, tzinfo=UTC))):
        Dispute.objects.create(
            stripe_dispute_id=f"dp_{status}",
            payment=payment,
            amount_cents=9900,
            reason="fraudulent",
            status=status,
            opened_at=payment.paid_at,
            closed_at=closed,
        )

    assert month("September 2026").net_cents == 9900
    assert (month("October 2026").lost_cents, month("October 2026").net_cents) == (9900, -9900)


def test_plans_begin_run_and_end() -> None:
    plan(datetime(2023, 1, 5, tzinfo=UTC))
    plan(datetime(2023, 1, 5, tzinfo=UTC), datetime(2024, 1, 5, tzinfo=UTC))
    plan(datetime(2023, 1, 5, tzinfo=UTC), datetime(2026, 10, 5, tzinfo=UTC))
    plan(datetime(2026, 10, 9, tzinfo=UTC))
    plan(datetime(2026, 10, 9, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC))

    september, october, november = (month(f"{name} 2026") for name in ("September", "October", "November"))
    assert (september.new_plans, september.ended_plans, september.running) == (0, 0, 2)
    assert (october.new_plans, october.ended_plans, october.running) == (2, 1, 3)
    assert (november.new_plans, november.ended_plans, november.running) == (0, 1, 2)


def test_given_and_second_plans_are_no_sale() -> None:
    first = plan(datetime(2026, 10, 9, tzinfo=UTC))
    plan(datetime(2026, 10, 9, tzinfo=UTC), datetime(2026, 10, 9, tzinfo=UTC), duplicate_of=first)
    make_subscription(stripe_subscription_id=None)

    assert month("October 2026").new_plans == 1
    assert month("November 2026").running == 1


def test_an_old_row_without_an_end_ended_with_its_paid_time() -> None:
    row = plan(datetime(2023, 1, 5, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    UserSubscription.objects.filter(pk=row.pk).update(
        ended_at=None, current_period_end=datetime(2026, 10, 20, tzinfo=UTC)
    )

    assert month("October 2026").ended_plans == 1


def test_it_asks_twice_however_much_there_is() -> None:
    for day in range(1, 20):
        pay(datetime(2026, 10, day, tzinfo=UTC))
        plan(datetime(2026, 10, day, tzinfo=UTC))
    months(now=NOW)
    with CaptureQueriesContext(connection) as queries:
        months(now=NOW)

    assert len(queries) == 2
