from __future__ import annotations

import math

from benchmarks.table import Target, markdown, verdict


def test_a_target_is_met_up_to_its_bound() -> None:
    assert Target("cost", 4.0, at_most=4).met is True
    assert Target("cost", 4.1, at_most=4).met is False
    assert Target("rate", 25, at_least=25).met is True
    assert Target("rate", 24, at_least=25).met is False


def test_without_a_bound_there_is_no_verdict() -> None:
    target = Target("log-in page", 1.7)

    assert target.met is None
    assert target.bound == "–"
    assert verdict([target]) == "–"


def test_what_was_not_measured_is_not_met() -> None:
    assert Target("cost", math.nan, at_most=4).met is False


def test_a_line_is_met_when_all_it_asks_is_met() -> None:
    good, bad, unasked = Target("a", 1, at_most=2), Target("b", 3, at_most=2), Target("c", 9)

    assert verdict([good, unasked]) == "met"
    assert verdict([good, bad]) == "**not met**"


def test_bounds_are_told_with_their_unit() -> None:
    assert Target("cost", 1, at_most=1.5, unit=" ×").bound == "≤ 1.5 ×"
    assert Target("share", 1, at_least=3, unit=" %").bound == "≥ 3 %"
    assert Target("cost", 1.234, unit=" ×").shown == "1.23 ×"
    assert Target("statements", 12).shown == "12"


def test_a_table_keeps_bars_inside_its_cells() -> None:
    assert markdown(["what", "ms"], [["a|b", "1"]]) == "| what | ms |\n| --- | ---: |\n| a\\|b | 1 |"
