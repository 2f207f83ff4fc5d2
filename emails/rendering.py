"""From wording and values to a finished mail: Liquid with its limits on, then the frame around the body.

How to write a message (``templates/emails/messages/<type>/``):

- ``subject.txt``, ``body.txt`` and ``body.html`` are Liquid. ``meta.json`` declares each variable with a sample
  value. Always there, undeclared: ``business_name``, ``business_phone``, ``business_email``,
  ``business_address``, ``site_url``, ``recipient_name`` (the name, or "there").
- ``body.html`` is only the inner part, in bare tags: ``<h1>``, ``<h2>``, ``<p>``, ``<p class="small">``,
  ``<p class="code">`` (a code to type, large), ``<ul>``, ``<ol>``, ``<li>``, ``<a href="...">``, ``<strong>``,
  and facts as ``<table class="facts">`` with rows ``<tr><th>Day</th><td>...</td></tr>``. ``dress`` gives
  them the inline styles that mail programs need; a tag with a ``style`` of its own stays as it is.
- One action per mail: pass ``button_url`` and ``button_text`` in the context (or in the secrets). The button
  stands where ``body.html`` says ``{{ button }}``, else after the body. ``body.txt`` spells the link out itself
  (``{{ button_url }}``); where it does not, text and link are added at its end.
- ``preview`` in the context is the line mail programs show beside the subject; without it they get the start
  of the text.
- Values are escaped in HTML. A variable that nobody gave is an error, so give "" for one that may be empty.
  Filters: see ``FILTERS``; no includes, no files, no attribute of any object can be reached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.html import strip_tags
from liquid import BoundTemplate, Environment, StrictUndefined
from liquid.exceptions import LiquidError
from markupsafe import Markup

from emails.exceptions import TemplateFault
from emails.models import Choice, Stream
from emails.wording import Wording
from settings_app import services as site_settings

SOURCE_LIMIT = 20_000
"""Characters in one source. A shipped body has about 1,500."""

FILTERS = frozenset(
    {"append", "capitalize", "default", "downcase", "escape", "first", "last", "newline_to_br", "prepend", "size"}
    | {"strip", "truncate", "truncatewords", "upcase"}
)
"""All that is left of Liquid's filters. Out: ``safe`` (undoes escaping), and those that can multiply a text
beyond any limit inside one expression (``replace``, ``split`` with ``join``, ``times``, ``date``)."""

TAGS = frozenset(
    {"content", "illegal", "output", "#", "assign", "break", "case", "comment", "continue", "for", "if", "unless"}
)
"""The first three are Liquid's own machinery. Out: includes, counters, ``capture``, ``tablerow``."""

WHY = {
    Stream.SECURITY: "You get this email because someone used this address on our website. "
    "We always send these, because they keep your account safe.",
    Stream.SERVICE: "You get this email because you use our help. We always send these, because you need them.",
    Stream.NEWS: "You get this email because you asked for our news.",
}
WHY_REMINDER = "You get this email because you have booked a session with us."

_URL = re.compile(r"https?://\S+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


class _MailEnvironment(Environment):
    """Limits for templates that staff may edit: none can eat time or memory."""

    block_nesting_limit = 10
    context_depth_limit = 10
    loop_iteration_limit = 100
    local_namespace_limit = 50_000
    output_stream_limit = 200_000

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=False)
        self.tags = {name: tag for name, tag in self.tags.items() if name in TAGS}
        self.filters = {name: function for name, function in self.filters.items() if name in FILTERS}


_TEXT = _MailEnvironment(undefined=StrictUndefined)
_HTML = _MailEnvironment(undefined=StrictUndefined, autoescape=True)


@dataclass(frozen=True)
class Rendered:
    subject: str
    text: str
    html: str


def subject(wording: Wording, context: Mapping[str, Any], *, recipient_name: str = "") -> str:
    """The subject alone, on one line of at most 255 characters. Raises TemplateFault."""
    return _one_line(_fill(wording.subject, {**context, **_common(site_values(), recipient_name)}, html=False))


def render(
    wording: Wording,
    context: Mapping[str, Any],
    *,
    site: Mapping[str, str],
    recipient_name: str = "",
    subject_line: str = "",
    choice_url: str = "",
) -> Rendered:
    """Subject, text and HTML of one mail; ``subject_line`` is used as it is where the queue holds one already.

    ``context`` includes the secrets, ``site`` is ``site_values()``, asked once per batch: this function runs in
    sender threads and must not touch the database. Raises TemplateFault, with the template's name and the fault.
    """
    values = {**context, **_common(site, recipient_name), "choice_url": choice_url}
    try:
        title = subject_line or _one_line(_fill(wording.subject, values, html=False))
        text = _text_body(wording, values)
        return Rendered(
            subject=title, text=_text_frame(wording, values, text), html=_html(wording, values, title, text)
        )
    except TemplateFault as fault:
        raise TemplateFault(f"{wording.name}: {fault}") from fault


def check(wording: Wording) -> None:
    """Refuse wording that cannot be rendered with its own sample values. Raises TemplateFault."""
    render(wording, wording.variables, site=site_values(), recipient_name="Margaret")


def compile_source(source: str, *, html: bool) -> BoundTemplate:
    """One source as Liquid reads it, with all limits on. Raises TemplateFault, or LiquidError with its place."""
    if len(source) > SOURCE_LIMIT:
        raise TemplateFault(f"It is longer than {SOURCE_LIMIT:,} characters.")
    try:
        return (_HTML if html else _TEXT).from_string(source)
    except RecursionError as error:
        raise TemplateFault("It is nested too deeply.") from error


def site_values() -> dict[str, str]:
    """The variables every message may use, beside ``recipient_name``. They win over the context's."""
    return {
        "business_name": str(site_settings.value("business_name")),
        "business_phone": str(site_settings.value("business_phone")),
        "business_email": str(site_settings.value("business_email")),
        "business_address": str(site_settings.value("business_address")),
        "site_url": settings.SITE_URL,
    }


def secrets_purpose(template: str, occasion: str) -> str:
    """Binds the encrypted values of a job to its own row: copied into another, they do not decrypt."""
    return f"email:{template}:{occasion}"


def _common(site: Mapping[str, str], recipient_name: str) -> dict[str, str]:
    return {**site, "recipient_name": recipient_name or "there"}


# --- Parts ----------------------------------------------------------------------------------------------


def _text_body(wording: Wording, values: Mapping[str, Any]) -> str:
    source = wording.text
    if not source.strip():
        source = strip_tags(wording.html.replace("{{ button }}", ""))
    body = _fill(source, values, html=False).strip()
    url = str(values.get("button_url") or "")
    if url and url not in body:
        body += f"\n\n{values.get('button_text', 'Open this page')}:\n{url}"
    return body


def _text_frame(wording: Wording, values: Mapping[str, Any], body: str) -> str:
    return _fill(_frame_source("frame.txt"), {**values, "body": body, "why": _why(wording)}, html=False)


def _html(wording: Wording, values: Mapping[str, Any], title: str, text: str) -> str:
    button = Markup()
    if values.get("button_url"):
        part = {
            "button_url": str(values["button_url"]),
            "button_text": str(values.get("button_text", "Open this page")),
        }
        button = Markup(_fill(_frame_source("button.html"), part, html=True))
    source = dress(wording.html)
    body = Markup(_fill(source, {**values, "button": button}, html=True))
    if button and "{{ button }}" not in source:
        body += button
    frame = {
        **values,
        "title": title,
        "preview": values.get("preview") or " ".join(_URL.sub("", text).split())[:140],
        "body": body,
        "why": _why(wording),
        "badge_url": f"{settings.SITE_URL}{settings.STATIC_URL}img/badge-email.png",
    }
    return _fill(_frame_source("frame.html"), frame, html=True)


def _why(wording: Wording) -> str:
    return WHY_REMINDER if wording.choice == Choice.REMINDERS else WHY[Stream(wording.stream)]


def _fill(source: str, values: Mapping[str, Any], *, html: bool) -> str:
    try:
        return str(_compiled(source, html).render(dict(values)))
    except LiquidError as error:
        raise TemplateFault(_fault(error)) from error
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise TemplateFault(f"It cannot be filled in: {type(error).__name__}.") from error


@lru_cache(maxsize=256)
def _compiled(source: str, html: bool) -> BoundTemplate:
    try:
        return compile_source(source, html=html)
    except LiquidError as error:
        raise TemplateFault(_fault(error)) from error


@lru_cache(maxsize=8)
def _frame_source(name: str) -> str:
    source = (settings.BASE_DIR / "templates" / "emails" / name).read_text()
    return str(source)


def _fault(error: LiquidError) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def _one_line(raw: str) -> str:
    return " ".join(_CONTROLS.sub(" ", raw).split())[:255]


# --- Inline styles --------------------------------------------------------------------------------------

_FONT = "font-family:Verdana,Arial,sans-serif;"
_SERIF = "font-family:Georgia,'Times New Roman',serif;"
_TEXT_STYLE = f"{_FONT}font-size:18px;line-height:29px;color:#18213c;"
_CELL = "padding:12px 0;border-top:1px solid #d3dae6;color:#18213c;"
_DRESSED = {
    "<h1>": f'<h1 class="t" style="margin:0 0 14px;{_SERIF}font-size:30px;line-height:36px;font-weight:bold;color:#18213c;">',
    "<h2>": f'<h2 class="t" style="margin:24px 0 10px;{_SERIF}font-size:23px;line-height:30px;font-weight:bold;color:#18213c;">',
    "<p>": f'<p class="t" style="margin:0 0 22px;{_TEXT_STYLE}">',
    '<p class="small">': f'<p class="s" style="margin:0 0 18px;{_FONT}font-size:16px;line-height:25px;color:#424b66;">',
    '<p class="code">': '<p class="t code line" style="margin:0 0 22px;padding:16px 20px;border:2px solid #d3dae6;border-radius:10px;'
    'font-family:Consolas,Menlo,monospace;font-size:32px;line-height:40px;font-weight:bold;letter-spacing:6px;color:#18213c;">',
    "<ul>": f'<ul class="t" style="margin:0 0 22px;padding:0 0 0 26px;{_TEXT_STYLE}">',
    "<ol>": f'<ol class="t" style="margin:0 0 22px;padding:0 0 0 26px;{_TEXT_STYLE}">',
    "<li>": '<li style="margin:0 0 8px;">',
    '<table class="facts">': '<table role="presentation" class="fact line" width="100%" cellpadding="0" cellspacing="0" border="0" '
    f'style="margin:0 0 22px;border-bottom:1px solid #d3dae6;{_FONT}font-size:18px;line-height:27px;">',
    "<th>": f'<td class="k t line" width="140" valign="top" style="{_CELL}font-weight:bold;">',
    '<th scope="row">': f'<td class="k t line" width="140" valign="top" style="{_CELL}font-weight:bold;">',
    "</th>": "</td>",
    "<td>": f'<td class="v t line" valign="top" style="{_CELL}">',
}
_BARE = re.compile("|".join(re.escape(tag) for tag in _DRESSED))
_BARE_LINK = re.compile(r'<a href="([^"<>]*)">')
_PHONE = re.compile(r"\{\{-?\s*business_phone\s*-?\}\}(?![^<>]*>)")
"""The phone number as words, not inside a tag: it stays on one line."""


@lru_cache(maxsize=128)
def dress(source: str) -> str:
    """The bare tags of a body's source with the inline styles of the design; filled-in values are not touched."""
    dressed = _BARE.sub(lambda match: _DRESSED[match.group()], source)
    dressed = _PHONE.sub(r'<span style="white-space:nowrap;">\g<0></span>', dressed)
    return _BARE_LINK.sub(r'<a class="l" href="\1" style="color:#1f4493;">', dressed)
