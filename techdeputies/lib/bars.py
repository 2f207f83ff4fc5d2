"""A bar chart drawn on the server: no script, no style, only shapes with classes."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH = 320
ROW = 44
BAR = 18


@dataclass(frozen=True)
class Bar:
    """``kind``: good, warn, bad or mute. ``words`` say the count where it is no plain number."""

    name: str
    count: int
    kind: str
    words: str = ""


def bar_chart(bars: list[Bar], *, label: str) -> SafeString | str:
    """One bar below the other, each under its name and number, which tell all that the bars show."""
    if not bars:
        return ""
    most = max(bar.count for bar in bars) or 1
    shapes = format_html_join(
        "\n",
        '<text x="0" y="{}" class="bar-name">{}: {}</text>'
        '<rect x="0" y="{}" width="{}" height="{}" rx="3" class="bar bar-{}"></rect>',
        (
            (
                index * ROW + 14,
                bar.name,
                bar.words or f"{bar.count:,}",
                index * ROW + 20,
                max(2, round(WIDTH * bar.count / most)),
                BAR,
                bar.kind,
            )
            for index, bar in enumerate(bars)
        ),
    )
    return format_html(
        '<svg class="bars" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>',
        WIDTH,
        ROW * len(bars),
        WIDTH,
        ROW * len(bars),
        label,
        shapes,
    )
