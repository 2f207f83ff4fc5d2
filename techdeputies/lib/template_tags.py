"""What templates need beyond Django's own: ``{% load words %}``."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from django import forms, template
from django.core.paginator import Page
from django.forms.boundfield import BoundField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from techdeputies.lib import money as money_words
from techdeputies.lib import times
from techdeputies.lib.fragments import kept as kept_piece

register = template.Library()


@register.filter
def money(cents: int) -> str:
    """``$99``, for a sentence."""
    return money_words.money(cents)


@register.filter
def money_list(cents: int) -> str:
    """``$99.00``, for a list."""
    return money_words.money_list(cents)


@register.filter
def breakable(address: str) -> SafeString:
    """A mail address that may break after its @, and not in the middle of a word."""
    before, at, after = str(address).partition("@")
    return format_html("<span>{}{}<wbr>{}</span>", before, at, after)


@register.filter
def wait_words(seconds: Any) -> str:
    """How long a wait of so many seconds is: ``about 15 minutes``. Rounds up, so that nobody comes too early."""
    minutes = -(-_seconds(seconds) // 60)
    if minutes <= 1:
        return "about 1 minute"
    if minutes < 90:
        return f"about {minutes} minutes"
    return f"about {-(-minutes // 60)} hours"


@register.filter
def clock_after(seconds: Any, zone_key: Any) -> str:
    """When so many seconds from now are over, by the clock of a zone: ``9:27 AM, Central Time (Chicago)``.

    Names the day where it is not today. Rounded up to the minute.
    """
    zone = times.known_zone(str(zone_key)) or times.known_zone("America/Chicago")
    if zone is None:
        return ""
    now = timezone.now()
    then = now + timedelta(seconds=_seconds(seconds) + 59)
    words = f"{times.clock(then, zone)}, {times.zone_name(zone)}"
    if then.astimezone(zone).date() != now.astimezone(zone).date():
        return f"{times.day_words(then, zone)} at {words}"
    return words


def _seconds(raw: Any) -> int:
    try:
        return max(0, int(raw))
    except (TypeError, ValueError):
        return 60


# --- Forms ----------------------------------------------------------------------------------------------
@register.filter
def field_shape(field: BoundField) -> str:
    """Which markup a question needs: ``hidden``, ``group`` (radio buttons), ``checkbox`` or ``box``."""
    if field.is_hidden:
        return "hidden"
    widget = field.field.widget
    if isinstance(widget, forms.RadioSelect):  # and CheckboxSelectMultiple, its child
        return "group"
    if isinstance(widget, forms.CheckboxInput):
        return "checkbox"
    return "box"


@register.simple_tag
def widget(field: BoundField, hint: str = "", type: str = "", rows: Any = "", box_class: str = "") -> SafeString:
    """The box of a question, with the design's class, and its hint and error tied to it for screen readers."""
    box = field.field.widget
    attrs: dict[str, Any] = {}
    shape = _css_class(box)
    if shape:
        attrs["class"] = " ".join(part for part in (shape, str(box.attrs.get("class", "")), box_class) if part)
    described = [f"{field.auto_id}_helptext"] if hint else []
    if field.errors:
        described.append(f"{field.auto_id}_error")
        attrs["aria-invalid"] = "true"
    if described:
        attrs["aria-describedby"] = " ".join(described)
    if isinstance(box, forms.EmailInput):
        attrs |= {"inputmode": "email", "spellcheck": "false"}
    if rows and isinstance(box, forms.Textarea):
        attrs["rows"] = rows
    if type:
        box = copy.copy(box)
        box.input_type = type
    return field.as_widget(widget=box, attrs=attrs)


def _css_class(box: forms.Widget) -> str:
    if isinstance(box, forms.Textarea):
        return "textarea"
    if isinstance(box, forms.Select):
        return "select"
    if isinstance(box, forms.CheckboxInput | forms.RadioSelect):
        return ""
    return "input"


@register.filter
def field_anchor(field: BoundField) -> str:
    """The id a link in the error summary leads to: the box, or the first of a group."""
    if field_shape(field) == "group":
        return f"{field.auto_id}_0"
    return str(field.id_for_label or field.auto_id)


@register.filter
def first_anchor(form: forms.BaseForm) -> str:
    """The id of a form's first visible question, for errors that belong to none."""
    for field in form.visible_fields():
        return field_anchor(field)
    return "main"


# --- Lists ----------------------------------------------------------------------------------------------
@register.filter
def page_numbers(page: Page) -> list[int]:
    """Numbers to show under a list: the ends and the neighbours of this page; 0 stands for a gap."""
    last = page.paginator.num_pages
    shown = sorted({n for n in (1, page.number - 1, page.number, page.number + 1, last) if 1 <= n <= last})
    numbers: list[int] = []
    for number in shown:
        if numbers and number - numbers[-1] > 1:
            numbers.append(0)
        numbers.append(number)
    return numbers


# --- Pieces that are the same for many ------------------------------------------------------------------
class KeptNode(template.Node):
    """Renders its inside once for each set of values and keeps it in this process for a while."""

    def __init__(
        self, inside: template.NodeList, seconds: float, name: str, vary: list[template.base.FilterExpression]
    ) -> None:
        self.inside = inside
        self.seconds = seconds
        self.name = name
        self.vary = vary

    def render(self, context: template.Context) -> SafeString:
        key = ("kept", self.name, *(value.resolve(context) for value in self.vary))
        return mark_safe(kept_piece(key, self.seconds, lambda: self.inside.render(context)))


@register.tag
def kept(parser: template.base.Parser, token: template.base.Token) -> KeptNode:
    """``{% kept 60 footer site signed_in %}…{% endkept %}``: seconds, a name, and all that the inside depends on.

    For what is the same for everybody with those values: no token, no name, no message inside.
    """
    _, seconds, name, *vary = token.split_contents()
    inside = parser.parse(("endkept",))
    parser.delete_first_token()
    return KeptNode(inside, float(seconds), name, [parser.compile_filter(word) for word in vary])
