"""HTML that staff may write into a mail: a short list of tags, and nothing that runs, loads or asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

TAGS = frozenset(
    {"a", "b", "blockquote", "br", "div", "em", "h1", "h2", "h3", "hr", "i", "li", "ol", "p", "span", "strong"}
    | {"table", "tbody", "td", "th", "thead", "tr", "ul"}
)
VOID = frozenset({"br", "hr"})
ATTRIBUTES = frozenset(
    {"align", "bgcolor", "border", "cellpadding", "cellspacing", "class", "colspan", "dir", "height", "lang", "role"}
    | {"rowspan", "scope", "style", "title", "valign", "width"}
)
WHY_NOT = {
    "script": "Programs (script) cannot be put into a mail.",
    "style": "Style blocks cannot be put into a mail. The design is added by itself.",
    "img": "Pictures cannot be put into a mail: many programs hide them, and they tell others who reads.",
    "iframe": "Other pages (iframe) cannot be put into a mail.",
    "form": "Forms cannot be put into a mail. Use the button, which opens our website.",
    "input": "Boxes to fill in cannot be put into a mail. Use the button, which opens our website.",
}

_MARK = re.compile(r"\{\{(.*?)\}\}|\{%.*?%\}", re.DOTALL)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_STAND_IN = re.compile("\ue000(\\d+)\ue001")
_BAD_STYLE = re.compile(r"url|expression|import|behaviou?r|binding|position|[\\@<&/]", re.IGNORECASE)


def unsafe_html(source: str, *, links: Iterable[str]) -> Iterator[str]:
    """What of ``source`` (Liquid, all its branches) must not be in a mail. ``links`` may be whole addresses."""
    marks: list[str] = []

    def stand_in(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return ""
        marks.append(match.group(1).strip("- \n\t"))
        return f"\ue000{len(marks) - 1}\ue001"

    if "\ue000" in source or "\ue001" in source:
        yield "There is a character in it that cannot be kept. Please type it again instead of copying it."
        return
    for match in _MARK.finditer(source):
        # A colon may be written as "&#58;", too.
        if any(not {"<", ":", "&"}.isdisjoint(text) for text in _QUOTED.findall(match.group())):
            yield "Write tags and links outside of the marks {{ }} and {% %}, not inside their quotes."
            return
    reader = _Reader(marks, {*links, "site_url"})
    reader.feed(_MARK.sub(stand_in, source))
    reader.close()
    yield from reader.faults
    if reader.open and not reader.faults:
        yield f"The tag <{reader.open[-1]}> is not closed."


class _Reader(HTMLParser):
    def __init__(self, marks: list[str], links: set[str]) -> None:
        super().__init__(convert_charrefs=False)
        self.marks = marks
        self.links = links
        self.faults: list[str] = []
        self.open: list[str] = []

    def refuse(self, words: str) -> None:
        self.faults.append(words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.refuse(WHY_NOT.get(tag, f"The tag <{_STAND_IN.sub('…', tag)[:30]}> cannot be used in a mail."))
            return
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID and tag in TAGS:
            self.refuse(f"Write <{tag}></{tag}> in place of <{tag}/>.")

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or tag not in TAGS:
            return
        if not self.open or self.open[-1] != tag:
            self.refuse(f"The end </{tag}> does not fit what is open before it.")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if "<" in data:
            self.refuse("There is a < that begins no tag. Write &lt; for the sign itself.")

    def handle_comment(self, data: str) -> None:
        self.refuse("Comments (<!-- -->) cannot be used, because some mail programs act on them.")

    def handle_decl(self, decl: str) -> None:
        self.refuse("Write only the inner part of the mail; the frame around it is added by itself.")

    def handle_pi(self, data: str) -> None:
        self.refuse("The mark <? cannot be used in a mail.")

    def unknown_decl(self, data: str) -> None:
        self.refuse("The mark <![ cannot be used in a mail.")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self.refuse(f"“{name[:30]}” would start a program, which cannot be put into a mail.")
        elif name == "href" and tag == "a":
            self._link(value)
        elif name not in ATTRIBUTES:
            self.refuse(f"“{_STAND_IN.sub('…', name)[:30]}” cannot be used on <{tag}> in a mail.")
        elif name == "style" and (_BAD_STYLE.search(value) or _STAND_IN.search(value)):
            self.refuse("This style cannot be used: it may load something, cover something or change by itself.")

    def _link(self, value: str) -> None:
        value = value.strip()
        first = _STAND_IN.match(value)
        if first:
            name = self.marks[int(first.group(1))]
            rest = value[first.end() :]
            if name in self.links and (not rest or (name == "site_url" and rest.startswith(("/", "#", "?")))):
                return
            self.refuse("A link may start with {{ site_url }}/, or be one variable that is an address.")
            return
        shown = _STAND_IN.sub("…", value)[:80]
        try:
            parts = urlsplit(value)
        except ValueError:
            self.refuse(f"The link “{shown}” is not a whole address.")
            return
        if parts.scheme in ("mailto", "tel"):
            return
        if parts.scheme not in ("https", "http") or not parts.netloc or _STAND_IN.search(parts.netloc):
            self.refuse(f"The link “{shown}” cannot be used. Start it with https:// or {{{{ site_url }}}}/.")
