"""The mailbox in markup, in the product's look. Every value passes through ``escape``."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import urlencode

from sandbox.lib import pages
from sandbox.mailgun.mail import LINK, Mail, split_link

_LISTS = {"bounces": "it has bounced before", "unsubscribes": "it is unsubscribed", "complaints": "it has complained"}
_EVENT_WORDS = {
    "accepted": "Accepted",
    "delivered": "Delivered",
    "opened": "Opened",
    "clicked": "A link was pressed",
    "unsubscribed": "Unsubscribed",
    "complained": "Marked as spam",
}
_VIEWS = (("text", "Text", ""), ("html", "As a page", "page/"), ("raw", "Raw", "raw/"))


def layout(title: str, body: str) -> str:
    """A whole page. ``title`` is escaped already, as ``body`` is."""
    words = "Mail written on this computer. Nothing here was sent to anybody."
    return pages.layout(title, body, brand="Mailbox", words=words, css="mailbox.css")


def notice(words: str, url: str) -> str:
    return f'<div class="page-head"><h1>{escape(words)}</h1><p><a class="action-link" href="{escape(url)}">Go to the mailbox</a></p></div>'


def list_page(mails: list[Mail], *, to: str, total: int, older: str, is_first: bool) -> str:
    counted = "1 mail" if total == 1 else f"{total:,} mails"
    heading = f"Mail to {escape(to)}" if to else "Mailbox"
    items = "".join(_tile(mail) for mail in mails)
    parts = [
        f'<div class="page-head"><h1 class="break">{heading}</h1><p class="soft">{counted}, newest first</p></div>',
        '<form class="mailbox-filter" action="/" method="get">'
        '<div><label class="label" for="to">Show the mail of one address</label>'
        f'<input class="input" id="to" name="to" type="email" autocomplete="off" spellcheck="false" value="{escape(to)}"></div>'
        '<button class="btn btn--quiet" type="submit">Show</button>'
        + ('<a class="action-link" href="/">Show all mail</a>' if to else "")
        + "</form>",
        f'<ol class="mailbox-list" role="list">{items}</ol>' if mails else _empty(to),
    ]
    links = [
        "" if is_first else f'<a class="action-link" href="/{_query(to)}">Go to the newest mail</a>',
        f'<a class="action-link" href="{escape(older)}">Older mail</a>' if older else "",
    ]
    if any(links):
        parts.append(f'<p class="row">{"".join(links)}</p>')
    if mails:
        parts.append(
            '<form class="mt-7" action="/delete/" method="post">'
            '<button class="btn btn--danger" type="submit">Delete all mail</button></form>'
        )
    return "\n".join(parts)


def _query(to: str) -> str:
    return escape("?" + urlencode({"to": to})) if to else ""


def _empty(to: str) -> str:
    words = "No mail has come for this address." if to else "No mail has come yet."
    return f'<div class="empty"><h2>{words}</h2><p>Mail shows up here a moment after the site writes it. Load this page again to look.</p></div>'


def _tile(mail: Mail) -> str:
    return (
        f'<li><a class="tile" href="/mail/{mail.id}/"><span class="tile__over">To {escape(", ".join(mail.to))}</span>'
        f'<span class="tile__main">{escape(mail.subject) or "No subject"}</span>'
        f'<span class="tile__foot">{_moment(mail.created_at)}{_tags(mail)}</span></a></li>'
    )


def _tags(mail: Mail) -> str:
    words = ['<span class="tag tag--bad">Not delivered</span>'] if mail.suppressed else []
    if mail.is_test_mode:
        words.append('<span class="tag tag--warn">Test mode</span>')
    return "".join(words)


def _moment(moment: datetime) -> str:
    local = moment.astimezone()
    words = f"{local:%A, %B} {local.day}, {local.year} at {local.hour % 12 or 12}:{local:%M:%S %p}"
    return f'<time datetime="{moment.isoformat(timespec="seconds")}">{words}</time>'


# --- one mail -----------------------------------------------------------------------------------------
def mail_page(
    mail: Mail, shown: str, *, events: list[dict[str, Any]], buttons: dict[str, str], webhook_url: str
) -> str:
    parts = [
        '<p><a class="back" href="/">Back to the mailbox</a></p>',
        f'<div class="page-head"><h1 class="break mailbox-subject">{escape(mail.subject) or "No subject"}</h1></div>',
        _facts(mail),
        _views(mail, shown),
        {"text": _text, "html": _html, "raw": _raw}[shown](mail),
        _attachments(mail),
        _events(mail, events, buttons, webhook_url),
    ]
    return "\n".join(part for part in parts if part)


def _facts(mail: Mail) -> str:
    rows = [("From", escape(mail.sender)), ("To", escape(mail.to_header))]
    rows += [(name.title(), escape(", ".join(mail.options[name]))) for name in ("cc", "bcc") if mail.options.get(name)]
    rows += [("Written", _moment(mail.created_at)), ("Message-ID", escape(mail.message_id))]
    if mail.tags:
        rows.append(("Tags", escape(", ".join(mail.tags))))
    rows += [
        ("Not delivered", f"{escape(address)}, because {_LISTS[name]}.") for address, name in mail.suppressed.items()
    ]
    lines = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)
    return f'<div class="facts"><dl>{lines}</dl></div>'


def _views(mail: Mail, shown: str) -> str:
    current = ' aria-current="page"'
    links = "".join(
        f'<a href="/mail/{mail.id}/{place}"{current if key == shown else ""}>{words}</a>'
        for key, words, place in _VIEWS
    )
    return f'<nav class="views mt-6" aria-label="Ways to read this mail">{links}</nav>'


def _text(mail: Mail) -> str:
    if not mail.text:
        return '<p class="soft mt-5">This mail has no text part.</p>'
    pieces, end = [], 0
    for found in LINK.finditer(mail.text):
        address, _tail = split_link(found[0])
        pieces.append(escape(mail.text[end : found.start()]))
        pieces.append(f'<a href="{escape(address)}">{escape(address)}</a>')
        end = found.start() + len(address)
    pieces.append(escape(mail.text[end:]))
    return f'<div class="card mailbox-text mt-5">{"".join(pieces)}</div>'


def _html(mail: Mail) -> str:
    if not mail.html:
        return '<p class="soft mt-5">This mail has no HTML part.</p>'
    place = f"/mail/{mail.id}/html"
    return (
        f'<iframe class="mailbox-frame mt-5" src="{place}" title="The mail as a page"'
        ' sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>'
        f'<p><a class="action-link" href="{place}">Open it on its own</a></p>'
    )


def _raw(mail: Mail) -> str:
    return (
        f'<pre class="card mailbox-raw code mt-5">{escape(mail.raw)}</pre>'
        f'<p><a class="action-link" href="/mail/{mail.id}/message.eml">Save it as a file</a></p>'
    )


def _attachments(mail: Mail) -> str:
    if not mail.attachments:
        return ""
    items = "".join(
        f'<li><a class="action-link break" href="/mail/{mail.id}/attachments/{position}">{escape(item.filename)}</a>'
        f' <span class="soft">{escape(item.content_type)}, {len(item.content):,} bytes</span></li>'
        for position, item in enumerate(mail.attachments)
    )
    return f'<h2 class="mt-7">Attachments</h2><ul class="rows mt-4">{items}</ul>'


def _events(mail: Mail, events: list[dict[str, Any]], buttons: dict[str, str], webhook_url: str) -> str:
    items = "".join(
        f"<li><span>{_event_words(event)}: {escape(event['recipient'])}</span>"
        f' <span class="soft">{_moment(datetime.fromtimestamp(event["timestamp"], UTC))}</span></li>'
        for event in events
    )
    if webhook_url:
        posted = f"Each is also posted to {escape(webhook_url)}."
    else:
        posted = "They are kept here for look-ups. No webhook address is set, so they are posted nowhere."
    presses = "".join(
        f'<button class="btn btn--quiet" type="submit" name="event" value="{kind}">{words}</button>'
        for kind, words in buttons.items()
    )
    return (
        f'<h2 class="mt-7" id="events">What happened to it</h2><ol class="rows mt-4">{items}</ol>'
        f'<h3 class="mt-6">Make something happen</h3><p class="soft">{posted}</p>'
        f'<form class="btn-row mt-4" action="/mail/{mail.id}/events/" method="post">{presses}</form>'
    )


def _event_words(event: dict[str, Any]) -> str:
    if event["event"] == "failed":
        return "Delayed" if event["severity"] == "temporary" else f"Not delivered ({escape(event['reason'])})"
    return _EVENT_WORDS.get(event["event"], escape(event["event"]))
