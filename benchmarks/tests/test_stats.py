from __future__ import annotations

import math

from benchmarks.stats import median, number, percentile, ratio


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]

    assert percentile(values, 0.95) == 95
    assert percentile(values, 0.5) == 50
    assert percentile([3.0], 0.95) == 3
    assert percentile([9.0, 1.0, 5.0], 0.0) == 1
    assert math.isnan(percentile([], 0.5))


def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle() -> None:
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5
    assert math.isnan(median([]))


def test_a_ratio_to_nothing_is_no_number() -> None:
    assert ratio(6, 4) == 1.5
    assert math.isnan(ratio(6, 0))


def test_numbers_are_shown_with_as_many_digits_as_they_are_worth() -> None:
    assert [number(value) for value in (6123.4, 187.2, 56.78, 0.891, math.nan)] == ["6,123", "187", "56.8", "0.89", "–"]
