"""What a plan gives, in words."""

from __future__ import annotations

import pytest

from billing.models import CourseInclusion, Plan, SupportTier
from billing.words import COURSES, HELP, plan_words, sessions_a_month


@pytest.mark.parametrize(
    ("cents", "limit", "expected"),
    [
        (4900, 2, "About $25 for each session"),
        (9900, 5, "About $20 for each session"),
        (7000, 7, "$10 for each session"),
        (3500, 1, "$35 for each session"),
        (100, 3, "About $0 for each session"),
        (19900, 0, "The same price, however often you call"),
    ],
)
def test_price_of_one_session_is_rounded_to_dollars(cents: int, limit: int, expected: str) -> None:
    plan = Plan(price_in_cents=cents, session_limit=limit, course_inclusion="none", support_tier="email")

    assert plan_words(plan).each == expected


@pytest.mark.parametrize(
    ("limit", "expected"), [(0, "Unlimited sessions"), (1, "1 session each month"), (5, "5 sessions each month")]
)
def test_sessions_are_counted_in_words(limit: int, expected: str) -> None:
    assert sessions_a_month(Plan(session_limit=limit)) == expected


def test_every_value_of_the_columns_has_its_words() -> None:
    assert set(COURSES) == set(CourseInclusion)
    assert set(HELP) == set(SupportTier)
