"""Today's line beside the opening hours."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from techdeputies.hours import read_hours, today_line

CHICAGO = ZoneInfo("America/Chicago")
WORDS = "Monday to Saturday, 8 AM to 8 PM Central Time"


def line(day: int, hour: int, minute: int = 0, words: str = WORDS) -> str:
    """December 2026: the 1st is a Tuesday, the 5th a Saturday, the 6th a Sunday."""
    return today_line(words, datetime(2026, 12, day, hour, minute, tzinfo=CHICAGO), CHICAGO)


@pytest.mark.parametrize(
    ("day", "hour", "minute", "expected"),
    [
        (1, 8, 0, "Open now until 8 PM Central Time."),
        (1, 19, 59, "Open now until 8 PM Central Time."),
        (1, 7, 59, "Closed now. We open today at 8 AM Central Time."),
        (1, 20, 0, "Closed now. We open again tomorrow at 8 AM Central Time."),
        (5, 21, 0, "Closed now. We open again on Monday at 8 AM Central Time."),
        (6, 12, 0, "Closed now. We open again tomorrow at 8 AM Central Time."),
    ],
)
def test_line_says_whether_somebody_answers(day: int, hour: int, minute: int, expected: str) -> None:
    assert line(day, hour, minute) == expected


def test_days_may_go_over_the_weekend_and_hours_may_be_halves() -> None:
    hours = read_hours("Friday to Monday, 9:30 am to 5 pm")

    assert hours is not None
    assert hours.days == {4, 5, 6, 0}
    assert line(4, 9, 0, "Friday to Monday, 9:30 am to 5 pm") == "Closed now. We open today at 9:30 AM Central Time."


@pytest.mark.parametrize(
    "words", ["", "By appointment", "Monday to Someday, 8 AM to 8 PM", "Monday to Friday, 20 AM to 8 PM"]
)
def test_words_it_cannot_read_get_no_line(words: str) -> None:
    assert line(1, 12, 0, words) == ""
