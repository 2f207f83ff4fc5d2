"""CPU seconds and memory of process trees, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ProcessTimes(NamedTuple):
    """One process: its parent, and its ticks together with those of its ended, waited-for children."""

    pid: int
    parent: int
    ticks: int


def parse_stat(line: str) -> ProcessTimes:
    """Read a line of /proc/<pid>/stat. The name is in brackets and may hold spaces and brackets of its own."""
    before, _, after = line.rpartition(")")
    fields = after.split()
    # Fields 14 to 17 of proc(5): utime, stime, cutime, cstime; the state, field 3, comes first here.
    return ProcessTimes(int(before.split(" ", 1)[0]), int(fields[1]), sum(int(field) for field in fields[11:15]))


def all_processes() -> list[ProcessTimes]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found.append(parse_stat((folder / "stat").read_text()))
            except OSError:  # it ended while we looked
                continue
    return found


def tree(root: int, processes: Iterable[ProcessTimes]) -> list[ProcessTimes]:
    """``root`` and everything below it."""
    by_parent: dict[int, list[ProcessTimes]] = {}
    found = []
    for process in processes:
        by_parent.setdefault(process.parent, []).append(process)
        if process.pid == root:
            found.append(process)
    for process in found:
        found.extend(by_parent.get(process.pid, []))
    return found


def cpu_seconds(*roots: int) -> list[float]:
    """CPU seconds so far of each tree, ended and waited-for children included."""
    processes = all_processes()
    return [sum(process.ticks for process in tree(root, processes)) / TICKS_PER_SECOND for root in roots]


def memory_mb(root: int) -> list[float]:
    """The proportional set size of each process below ``root``, in MB."""
    sizes = []
    for process in tree(root, all_processes()):
        if process.pid != root:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            sizes += [int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")]
    return sizes
