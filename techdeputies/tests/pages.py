"""Reading pages in tests as a person would: links and words."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Protocol
from urllib.parse import urljoin, urlsplit


class Page(Protocol):
    """Any answer of a view or of the test client."""

    @property
    def content(self) -> bytes: ...


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and named.get("href"):
            self.links.append(str(named["href"]))
        if named.get("id"):
            self.ids.append(str(named["id"]))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(response: Page) -> _Reader:
    reader = _Reader()
    reader.feed(response.content.decode())
    return reader


def words(response: Page) -> str:
    """The page's text with single spaces."""
    return " ".join(" ".join(read(response).words).split())


def own_links(response: Page, path: str) -> set[str]:
    """Addresses on this site that the page at ``path`` links to, with their query and fragment."""
    found = set()
    for link in read(response).links:
        parts = urlsplit(urljoin(f"http://testserver{path}", link))
        if parts.scheme == "http" and parts.netloc == "testserver":
            found.add(parts._replace(scheme="", netloc="").geturl())
    return found
