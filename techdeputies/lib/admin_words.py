"""Small pieces that every admin page uses: tags, sums and the person behind a row."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

_KIND = {
    "active": "good",
    "open": "good",
    "confirmed": "good",
    "attended": "good",
    "delivered": "good",
    "opened": "good",
    "clicked": "good",
    "sent": "good",
    "done": "good",
    "paid": "good",
    "succeeded": "good",
    "asked": "warn",
    "pending": "warn",
    "waiting": "warn",
    "broken": "bad",
    "queued": "warn",
    "sending": "warn",
    "past_due": "warn",
    "blocked": "warn",
    "todo": "warn",
    "failed": "bad",
    "bounced": "bad",
    "complained": "bad",
    "no_show": "bad",
}


def tag(row: models.Model, field: str) -> SafeString | str:
    """The words of a label, in the colour of its meaning."""
    label = getattr(row, field)
    if not label:
        return ""
    words = getattr(row, f"get_{field}_display")()
    return format_html('<span class="tag tag-{}">{}</span>', _KIND.get(str(label), "mute"), words)


def filter_by(words: str, kind: type[admin.FieldListFilter]) -> type[admin.FieldListFilter]:
    """A filter of a list whose heading says ``By <words>`` instead of the column's name."""

    def name_it(self: Any, *args: Any, **options: Any) -> None:
        kind.__init__(self, *args, **options)
        self.title = words

    return type(f"Named{kind.__name__}", (kind,), {"__init__": name_it})


def link_to(row: Any, words: str = "") -> SafeString | str:
    """A link to another row's page, or plain words where there is none."""
    if row is None:
        return ""
    try:
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return words or str(row)
    return format_html('<a href="{}">{}</a>', address, words or str(row))
