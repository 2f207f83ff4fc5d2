"""Targets and Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.stats import number


@dataclass(frozen=True)
class Target:
    """One number that was measured, and the bound it should keep."""

    what: str
    value: float
    at_most: float | None = None
    at_least: float | None = None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is no bound; what could not be measured is not met."""
        if self.at_most is None and self.at_least is None:
            return None
        if math.isnan(self.value):
            return False
        below = self.at_most is None or self.value <= self.at_most
        above = self.at_least is None or self.value >= self.at_least
        return below and above

    @property
    def bound(self) -> str:
        """The bound in words: "≤ 4 ×"."""
        parts = []
        for sign, bound in (("≤", self.at_most), ("≥", self.at_least)):
            if bound is not None:
                parts.append(f"{sign} {bound:,g}{self.unit}")
        return " and ".join(parts) or "–"

    @property
    def shown(self) -> str:
        words = f"{self.value:,}" if isinstance(self.value, int) else number(self.value)
        return f"{words}{self.unit}"


def verdict(targets: Iterable[Target]) -> str:
    """ "met", "not met" with what failed, or a dash where nothing was asked."""
    asked = [target for target in targets if target.met is not None]
    if not asked:
        return "–"
    failed = [target for target in asked if not target.met]
    return "met" if not failed else "**not met**"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column is words, the others are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
