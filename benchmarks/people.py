"""Who asks: the seeded people's cookies, and the requests they send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from itertools import count, cycle
from typing import Any

from benchmarks.load import Answer, fetch, request
from benchmarks.shape import PEOPLE, READERS
from sandbox.errors import Refusal

Slot = list[str]
"""The id of a time, and the start its form shows."""


class FormReader(HTMLParser):
    """Collects the forms of a page: where each leads, and the fields it would send as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.open = given.get("method", "").lower() == "post"
            if self.open:
                self.forms.append((given.get("action", ""), {}))
        elif tag in ("input", "textarea") and self.open and "name" in given:
            is_choice = given.get("type") in ("radio", "checkbox")
            if not is_choice or "checked" in given:
                self.forms[-1][1][given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = False


def form_for(path: str, page: str) -> dict[str, str]:
    """The fields of the form of ``page`` that posts to ``path``: an empty action means the page itself."""
    reader = FormReader()
    reader.feed(page)
    for action, fields in reader.forms:
        if unescape(action).partition("?")[0] in ("", path):
            return fields
    raise Refusal(f"The page {path} has no form that posts to it.")


@dataclass
class Visitors:
    """Everybody who was seeded. Numbers run on over the whole run, so nobody books the same time twice."""

    facts: dict[str, Any]
    port: int
    spread: Iterator[int] = field(default_factory=count)
    full: Iterator[int] = field(default_factory=count)

    def cookies(self, person: int) -> dict[str, str]:
        return {self.facts["session_cookie"]: self.facts["sessions"][person]}

    def address(self, person: int) -> str:
        return f"198.18.{person // 250}.{person % 250 + 1}"

    def page(self, path: str, *, signed_in: bool) -> Iterator[bytes]:
        """One page over and over: by a signed-out visitor, or by every reader in turn."""
        if not signed_in:
            return cycle([request(path)])
        return cycle(
            [request(path, cookies=self.cookies(who), address=self.address(who)) for who in range(READERS)],
        )

    def look(self, path: str, person: int | None) -> Answer:
        cookies = None if person is None else self.cookies(person)
        answer = fetch(self.port, request(path, cookies=cookies))
        if answer.status != 200:
            raise Refusal(f"{path} answered {answer.status}: {text_of(answer.body)}")
        return answer

    def form(self, path: str, person: int | None) -> tuple[dict[str, str], dict[str, str]]:
        """The fields of a page's own form, and the cookies to send it with."""
        answer = self.look(path, person)
        fields = form_for(path, answer.body.decode())
        own = {} if person is None else self.cookies(person)
        return fields, own | answer.cookies

    def bookings(self, slots: list[Slot], fields: dict[str, str], csrf: dict[str, str]) -> Iterator[bytes]:
        """One booking after the other, spread over ``slots``: people first, then slots move on."""
        bookers = PEOPLE - READERS
        for number in self.spread:
            who = READERS + number % bookers
            yield self._booking(slots[(number + number // bookers) % len(slots)], who, fields, csrf)

    def bookings_of(self, slot: Slot, people: range, fields: dict[str, str], csrf: dict[str, str]) -> Iterator[bytes]:
        """Everybody of ``people`` once, all for one slot."""
        for who in people:
            yield self._booking(slot, who, fields, csrf)

    def tries(self, slots: list[Slot], fields: dict[str, str], csrf: dict[str, str]) -> Iterator[bytes]:
        """Tries at slots that are full, by people who have no place in any of them."""
        for number in self.full:
            yield self._booking(slots[number % len(slots)], number % READERS, fields, csrf)

    def _booking(self, slot: Slot, who: int, fields: dict[str, str], csrf: dict[str, str]) -> bytes:
        pk, start = slot
        form = fields | {"seen_start": start}
        return request(f"/booking/{pk}/", cookies=self.cookies(who) | csrf, form=form, address=self.address(who))

    def log_ins(self, fields: dict[str, str], csrf: dict[str, str]) -> Iterator[bytes]:
        for who in cycle(range(PEOPLE)):
            typed = fields | {"email": f"person{who}@example.com", "password": self.facts["password"]}
            yield request("/accounts/login/", cookies=csrf, form=typed, address=self.address(who))


def words_of(answer: bytes) -> str:
    """The status line and the readable text of an answer, for a message about it."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return f"{head.splitlines()[0].decode(errors='replace')}: {text_of(body)}"


def text_of(page: bytes) -> str:
    """The beginning of a page's own text."""
    _, main, rest = page.decode(errors="replace").rpartition("<main")
    bare = re.sub(r"<(script|style|svg).*?</\1>|<[^>]+>", " ", main + rest, flags=re.DOTALL)
    return " ".join(unescape(bare).split())[:400]
