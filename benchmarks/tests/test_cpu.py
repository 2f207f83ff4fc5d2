from __future__ import annotations

import os

from benchmarks.cpu import ProcessTimes, cpu_seconds, parse_stat, tree


def test_a_name_with_spaces_and_brackets_does_not_shift_the_fields() -> None:
    line = "42 (post (gres) x) S 7 42 42 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 1 0 500 1000 10"

    assert parse_stat(line) == ProcessTimes(pid=42, parent=7, ticks=110)


def test_a_tree_is_a_process_and_all_below_it() -> None:
    processes = [ProcessTimes(1, 0, 5), ProcessTimes(2, 1, 5), ProcessTimes(3, 2, 5), ProcessTimes(4, 0, 5)]

    assert [process.pid for process in tree(1, processes)] == [1, 2, 3]
    assert tree(9, processes) == []


def test_our_own_time_is_seen() -> None:
    before = cpu_seconds(os.getpid())
    sum(range(3_000_000))

    assert cpu_seconds(os.getpid())[0] >= before[0] > 0
