"""Pieces of the practice payment pages, in the product's look. Every value passes through ``escape``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.lib import pages
from sandbox.lib.pages import html_response, policy
from sandbox.lib.wire import Response
from sandbox.stripe.cards import TEST_CARDS
from sandbox.stripe.shapes import Object

OWN_CSS = Path(__file__).with_name("stripe.css")
OTHER = "other"

_ICONS = {
    "info": '<circle cx="12" cy="12" r="9.2"/><path d="M12 11.2v5.3M12 7.6v.1"/>',
    "good": '<circle cx="12" cy="12" r="9.2"/><path d="m7.8 12.4 2.9 2.9 5.6-6"/>',
    "bad": '<circle cx="12" cy="12" r="9.2"/><path d="M12 7v6M12 16.6v.1"/>',
}
_TAGS = {
    "active": "good", "trialing": "good", "paid": "good", "succeeded": "good", "won": "good", "complete": "good",
    "past_due": "bad", "unpaid": "bad", "failed": "bad", "lost": "bad",
    "incomplete": "warn", "open": "warn", "pending": "warn", "needs_response": "warn", "paused": "warn",
}  # fmt: skip


# --- whole pages --------------------------------------------------------------------------------------
def page(title: str, body: str, *, status: int = 200, home: str = "", leads_to: Iterable[str] = ()) -> Response:
    """A whole page. ``leads_to`` are the addresses a form on it may end at, besides our own."""
    words = "A stand-in for Stripe on this computer. No real money moves."
    markup = pages.layout(escape(title), body, brand="Practice payments", words=words, css=OWN_CSS.name, home=home)
    return html_response(markup, policy(" ".join(["'self'", *_origins(leads_to)])), status)


def _origins(addresses: Iterable[str]) -> list[str]:
    parts = [urlsplit(address) for address in addresses]
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts if part.scheme in ("http", "https")})


def notice(title: str, words: str = "", *, back: str = "", back_words: str = "Go back", status: int = 200) -> Response:
    """A page that says one thing and where to go next."""
    link = f'<p><a class="btn" href="{escape(back)}">{escape(back_words)}</a></p>' if back else ""
    return page(title, f"{head(title, words)}{link}", status=status)


def head(title: str, words: str = "", *, back: str = "", back_words: str = "Back") -> str:
    link = f'<p><a class="back" href="{escape(back)}">{escape(back_words)}</a></p>' if back else ""
    lead = f'<p class="lead">{escape(words)}</p>' if words else ""
    return f'{link}<div class="page-head"><h1 class="break">{escape(title)}</h1>{lead}</div>'


# --- words --------------------------------------------------------------------------------------------
def money(cents: int, currency: str = "usd") -> str:
    sign = "-" if cents < 0 else ""
    amount = f"{abs(cents) / 100:,.2f}"
    return f"{sign}${amount}" if currency == "usd" else f"{sign}{amount} {currency.upper()}"


def day(moment: int) -> str:
    """A day in words. The account's time is UTC, as Stripe's is."""
    at = datetime.fromtimestamp(moment, UTC)
    return f"{at:%B} {at.day}, {at.year}"


def hour(moment: int) -> str:
    at = datetime.fromtimestamp(moment, UTC)
    return f"{at:%b} {at.day}, {at.hour % 12 or 12}:{at:%M %p} UTC"


def card_words(method: Object | None) -> str:
    """Visa ending in 4242."""
    if method is None:
        return "No card"
    card = method["card"]
    return f"{str(card['brand']).title()} ending in {card['last4']}"


def tag(status: str) -> str:
    kind = _TAGS.get(status, "")
    extra = f" tag--{kind}" if kind else ""
    return f'<span class="tag{extra}">{escape(status.replace("_", " ").capitalize())}</span>'


# --- pieces -------------------------------------------------------------------------------------------
def alert(kind: str, words: str) -> str:
    """A message that stays on the page; a bad one is read out at once."""
    role = ' role="alert"' if kind == "bad" else ' role="status"'
    icon = (
        '<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false" fill="none" stroke="currentColor"'
        f' stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round">{_ICONS[kind]}</svg>'
    )
    return f'<div class="alert alert--{kind} mt-5"{role}>{icon}<div><p>{escape(words)}</p></div></div>'


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A list of names and values; the values are markup."""
    lines = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in rows)
    return f'<div class="facts"><dl>{lines}</dl></div>'


def button(words: str, *, look: str = "", name: str = "", value: str = "") -> str:
    kind = f" btn--{look}" if look else ""
    given = f' name="{escape(name)}" value="{escape(value)}"' if name else ""
    return f'<button class="btn{kind}" type="submit"{given}>{escape(words)}</button>'


def hidden(values: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in values.items()
    )


def card_fields(chosen: str = "", number: str = "") -> str:
    """The practice cards to choose from, and a field for another number."""
    chosen = chosen or TEST_CARDS[0].number
    choices = [
        _choice(card.number, _spaced(card.number), card.words, checked=card.number == chosen) for card in TEST_CARDS
    ]
    choices.append(_choice(OTHER, "Another number", "", checked=chosen == OTHER))
    return (
        '<fieldset class="field"><legend>Card</legend>'
        '<p class="hint">These are practice cards. Please do not type a real card number.</p>'
        f'<div class="practice-cards">{"".join(choices)}</div></fieldset>'
        '<div class="field"><label for="number">Another card number</label>'
        '<p class="hint">Only if you chose “Another number” above.</p>'
        '<input class="input" id="number" name="number" inputmode="numeric" autocomplete="off" maxlength="30"'
        f' value="{escape(number)}"></div>'
    )


def _choice(value: str, words: str, hint: str, *, checked: bool) -> str:
    mark = " checked" if checked else ""
    more = f'<span class="hint">{escape(hint)}</span>' if hint else ""
    return (
        f'<div class="choice"><input type="radio" name="card" id="card-{value}" value="{value}"{mark}>'
        f'<label for="card-{value}"><strong>{escape(words)}</strong> {more}</label></div>'
    )


def _spaced(number: str) -> str:
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))


def given_card(first: str, number: str) -> str:
    """The card somebody chose, or the number typed."""
    return number.strip() if first == OTHER or (number.strip() and not first) else first
