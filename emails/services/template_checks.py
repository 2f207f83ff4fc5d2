"""What is refused before staff's wording is kept: sentences for staff, by the field they stand beside.

All branches of a template are read, not only those its samples reach; then it is filled in with its samples,
with nothing, and with very long values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from liquid import BoundTemplate
from liquid.exceptions import LiquidError
from markupsafe import Markup, escape

from emails import rendering, wording
from emails.exceptions import TemplateFault
from emails.services.template_html import unsafe_html
from emails.wording import Wording

SUBJECT_LIMIT = 255
LONG = "long words " * 180
"""About two thousand characters: more than any name or title may have."""

ALWAYS = ("business_name", "business_phone", "business_email", "business_address", "site_url", "recipient_name")
"""What every mail may say without declaring it."""

FIELDS = {"subject": "subject", "text": "text_content", "html": "html_content"}

_NEEDED = re.compile(r"(?:^|_)(?:url|code)$")
_TAG = re.compile(r"\{%-?\s*([a-zA-Z_#]\w*)")
_INNER_TAGS = frozenset({"else", "elsif", "when", "endcase", "endcomment", "endfor", "endif", "endunless"})
_PLAIN_LINK = re.compile(r"http://([^\s/\"'<>]+)", re.IGNORECASE)


def allowed_names(words: Wording, part: str) -> list[str]:
    """The variables that this part of the mail may use."""
    names = [*words.variables, *ALWAYS]
    return [*names, "button"] if part == "html" else names


def needed_names(words: Wording, part: str) -> list[str]:
    """Links and codes that the shipped wording shows in this part: without them the mail would be of no use."""
    model = wording.shipped(words.name) or words
    try:
        used = set(_used(rendering.compile_source(getattr(model, part), html=part == "html")))
    except (LiquidError, TemplateFault):
        return []
    names = [name for name in words.variables if _NEEDED.search(name)]
    return [name for name in names if name in used or (name == "button_url" and "button" in used)]


def faults_of(words: Wording) -> dict[str, list[str]]:
    """What is wrong with each part; empty when it can be kept."""
    found: dict[str, list[str]] = {}
    for part, field in FIELDS.items():
        faults = list(dict.fromkeys(_faults(words, part)))
        if faults:
            found[field] = faults[:6]
    if not found:
        found = _faults_when_filled(words)
    return found


def _faults(words: Wording, part: str) -> Iterator[str]:
    source: str = getattr(words, part)
    limit = SUBJECT_LIMIT if part == "subject" else rendering.SOURCE_LIMIT
    if not source.strip():
        yield EMPTY[part]
        return
    if len(source) > limit:
        yield f"This is too long: {len(source):,} characters. Keep it to {limit:,}."
        return
    if "\0" in source:
        yield "There is a character in it that cannot be kept. Please type it again instead of copying it."
        return
    if part == "subject" and ("\n" in source or "\r" in source):
        yield "Write the subject on one line."
        return
    strange = list(_strange_tags(source))
    if strange:
        yield from strange
        return
    try:
        compiled = rendering.compile_source(source, html=part == "html")
    except LiquidError as error:
        yield _words_of(error)
        return
    except TemplateFault as fault:
        yield str(fault)
        return
    names = list(_wrong_names(words, part, compiled))
    yield from names
    if names:
        return
    yield from _plain_links(source)
    if part == "html":
        yield from unsafe_html(source, links=[name for name in words.variables if name.endswith("url")])
    yield from _missing(words, part, compiled)


EMPTY = {
    "subject": "Write a subject.",
    "text": "Write the text. Some people's mail programs show only this part.",
    "html": "Write the HTML part.",
}


def _strange_tags(source: str) -> Iterator[str]:
    for match in _TAG.finditer(source):
        name = match.group(1)
        if name not in rendering.TAGS and name not in _INNER_TAGS:
            line = source.count("\n", 0, match.start()) + 1
            yield f"Line {line}: “{name[:40]}” cannot be used here. You may use if, unless, case, for and assign."


def _wrong_names(words: Wording, part: str, compiled: BoundTemplate) -> Iterator[str]:
    try:
        analysis = compiled.analyze()
    except LiquidError as error:
        yield _words_of(error)
        return
    except RecursionError:
        yield "It is nested too deeply."
        return
    for name in analysis.filters:
        if name not in rendering.FILTERS:
            yield f"The filter “{name[:40]}” cannot be used. You may use: {', '.join(sorted(rendering.FILTERS))}."
    allowed = allowed_names(words, part)
    for name, uses in analysis.globals.items():
        if name == "forloop" and "for" in analysis.tags:
            continue
        if name not in allowed:
            close = get_close_matches(name, allowed, n=1)
            meant = f" Did you mean “{close[0]}”?" if close else " Choose one from the list of variables."
            yield f"There is no variable “{name[:60]}”.{meant}"
            continue
        sample = words.variables.get(name, "")
        for use in uses:
            if len(use.segments) > 1 and not isinstance(sample, dict | list) and use.segments[1:] != ["size"]:
                yield f"“{name}” is plain words and has no parts. Write only {{{{ {name} }}}}."


def _plain_links(source: str) -> Iterator[str]:
    own = settings.SITE_URL.split("//", 1)[-1].lower()
    for match in _PLAIN_LINK.finditer(source):
        if match.group(1).lower() != own:
            yield f"The link to “{match.group(1)[:80]}” is not safe. Use one that starts with https://."


def _missing(words: Wording, part: str, compiled: BoundTemplate) -> Iterator[str]:
    """The value itself must come out, which a name in a branch that is never taken would not do."""
    needed = needed_names(words, part)
    if not needed:
        return
    values = _values(words, words.variables)
    marks = {name: f"needed-{number}-here" for number, name in enumerate(needed)}
    values |= marks
    if part == "html":
        values["button"] = Markup(marks.get("button_url", ""))
    try:
        filled = compiled.render(values)
    except (LiquidError, TypeError, ValueError, ArithmeticError, RecursionError):
        return
    for name, mark in marks.items():
        if mark not in filled:
            shown = "button" if name == "button_url" and part == "html" else name
            yield f"This mail is of no use without {{{{ {shown} }}}}. Please put it back."


def _faults_when_filled(words: Wording) -> dict[str, list[str]]:
    samples = dict(words.variables)
    empty = {name: _emptied(value) if not _NEEDED.search(name) else value for name, value in samples.items()}
    long = {name: _lengthened(value) if not _NEEDED.search(name) else value for name, value in samples.items()}
    for title, values in (
        ("with the samples", samples),
        ("when values are empty", empty),
        ("when values are very long", long),
    ):
        for part, field in FIELDS.items():
            try:
                filled = _fill(words, part, values)
            except TemplateFault as fault:
                return {field: [f"It cannot be filled in {title}: {fault}"]}
            if not filled.strip() and _always_says_something(words, part, values):
                return {field: [f"Nothing is left of it {title}. Add some words that are always there."]}
        try:
            whole = replace(words, variables=values)
            rendering.render(whole, values, site=rendering.site_values(), recipient_name="Margaret")
        except TemplateFault as fault:
            return {"html_content": [f"It cannot be filled in {title}: {fault}"]}
    return {}


def _always_says_something(words: Wording, part: str, values: dict[str, Any]) -> bool:
    """Whether the shipped wording does: the subject of the news is written anew each time."""
    model = wording.shipped(words.name)
    return model is None or bool(_fill(model, part, values).strip())


def _fill(words: Wording, part: str, values: dict[str, Any]) -> str:
    given = _values(words, values)
    if part == "html":
        given["button"] = Markup("button")
    try:
        return str(rendering.compile_source(getattr(words, part), html=part == "html").render(given))
    except LiquidError as error:
        raise TemplateFault(_words_of(error)) from error
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise TemplateFault(f"a value does not fit ({type(error).__name__}).") from error


def _values(words: Wording, values: dict[str, Any]) -> dict[str, Any]:
    return {**values, **rendering.site_values(), "recipient_name": "Margaret"}


def _emptied(value: Any) -> Any:
    return "" if isinstance(value, str) else type(value)() if isinstance(value, list) else value


def _lengthened(value: Any) -> Any:
    return LONG if isinstance(value, str) else value


def _used(compiled: BoundTemplate) -> list[str]:
    return list(compiled.analyze().globals)


def _words_of(error: LiquidError) -> str:
    detail = str(escape(str(error).splitlines()[0])) if str(error) else type(error).__name__
    token = error.token
    line = ""
    if token is not None and token.start_index >= 0:
        line = f"Line {token.source.count(chr(10), 0, token.start_index) + 1}: "
    return f"{line}the marks {{{{ }}}} or {{% %}} cannot be read ({detail[:160]})."
