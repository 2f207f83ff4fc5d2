"""The mailbox page: every mail as text, HTML and raw. Plain pages, no script, nothing inline."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from urllib.parse import quote, urlencode

from sandbox.lib.pages import (
    FILE_POLICY,
    Page,
    headers,
    html_response,
    is_from_here,
    policy,
    see_other,
    static_file,
)
from sandbox.mailgun import markup
from sandbox.mailgun.account import Account
from sandbox.mailgun.mail import Mail
from sandbox.mailgun.wire import Request, Response, text_response, typed_response

PER_PAGE = 50
_OWN_CSS = Path(__file__).with_name("mailbox.css")
_POLICY = policy(more=" frame-src 'self';")
# A mail's own HTML: its inline styles show, its links open in a new tab, nothing in it runs or reaches further
# than this machine.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src http://127.0.0.1:* http://localhost:* data:;"
    " form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
BUTTONS = {
    "delivered": "Mark as delivered",
    "opened": "Opened",
    "clicked": "Link pressed",
    "temporary_fail": "Delayed",
    "permanent_fail": "Came back",
    "complained": "Marked as spam",
    "unsubscribed": "Unsubscribed",
}


def find_page(account: Account, request: Request) -> Page | None:
    """The page at a path; None for paths that are no page of the mailbox."""
    path = request.path
    if request.method == "GET":
        if path == "/":
            return lambda: mail_list(account, request)
        if path == "/healthz":
            return lambda: text_response("ok")
        if path.startswith("/static/") or path == "/mailbox.css":
            return lambda: static_file(path, _OWN_CSS) or _missing()
    elif request.method == "POST" and path == "/delete/":
        return lambda: _from_here(request, lambda: _delete_all(account))
    found = re.fullmatch(r"/mail/(\d{1,15})(/[\w./]*)?", path)
    if not found:
        return _missing if path.startswith("/mail/") else None
    return lambda: _one_mail(account, request, int(found[1]), found[2] or "")


def _one_mail(account: Account, request: Request, number: int, rest: str) -> Response:
    mail = account.store.mail(number)
    if mail is None:
        return _missing()
    if request.method == "POST" and rest == "/events/":
        return _from_here(request, lambda: _happen(account, mail, request))
    if request.method != "GET":
        return _page("This page cannot be written to", markup.notice("This page cannot be written to.", "/"), 405)
    if rest == "":
        return see_other(f"/mail/{number}/")
    shown = {"/": "text", "/page/": "html", "/raw/": "raw"}.get(rest)
    if shown:
        return _page(mail.subject or "No subject", _mail_body(account, mail, shown))
    if rest == "/html":
        return _html_part(mail)
    if rest == "/message.eml":
        return _download(mail.raw.encode("utf-8", "replace"), f"mail-{number}.eml", "message/rfc822")
    position = re.fullmatch(r"/attachments/(\d{1,4})", rest)
    if position and int(position[1]) < len(mail.attachments):
        attachment = mail.attachments[int(position[1])]
        return _download(attachment.content, attachment.filename, attachment.content_type)
    return _missing()


# --- the list -----------------------------------------------------------------------------------------
def mail_list(account: Account, request: Request) -> Response:
    to = request.query.get("to", "").strip()
    before_text = request.query.get("before", "")
    before = int(before_text) if re.fullmatch(r"\d{1,15}", before_text) else None
    store = account.store
    mails = store.mails(to=to, before=before, limit=PER_PAGE + 1, newest_first=True, with_attachments=False)
    older = ""
    if len(mails) > PER_PAGE:
        mails = mails[:PER_PAGE]
        older = "/?" + urlencode({**({"to": to} if to else {}), "before": mails[-1].id})
    body = markup.list_page(mails, to=to, total=store.count(to=to), older=older, is_first=before is None)
    return _page(f"Mail to {to}" if to else "All mail", body)


def _delete_all(account: Account) -> Response:
    account.store.clear(suppressions=False)
    return see_other("/")


# --- one mail -----------------------------------------------------------------------------------------
def _mail_body(account: Account, mail: Mail, shown: str) -> str:
    return markup.mail_page(
        mail,
        shown,
        events=account.store.events_of(mail.id),
        buttons=BUTTONS,
        webhook_url=account.config.webhook_url,
    )


def _html_part(mail: Mail) -> Response:
    part = mail.html
    for position, attachment in enumerate(mail.attachments):
        if attachment.inline:
            part = part.replace(f"cid:{attachment.filename}", f"/mail/{mail.id}/attachments/{position}")
    # Links leave the frame, which may show nothing but this part.
    based, count = re.subn(r"(<head\b[^>]*>)", r'\1<base target="_blank">', part, count=1, flags=re.IGNORECASE)
    body = based if count else f'<base target="_blank">{part}'
    return typed_response(body.encode("utf-8", "replace"), "text/html; charset=utf-8", headers=headers(_MAIL_POLICY))


def _happen(account: Account, mail: Mail, request: Request) -> Response:
    kind = request.form().first("event")
    if kind not in BUTTONS:
        return _page("There is no such event", markup.notice("There is no such event.", f"/mail/{mail.id}/"), 400)
    account.record(mail, kind)
    return see_other(f"/mail/{mail.id}/#events")


# --- pieces -------------------------------------------------------------------------------------------
def _from_here(request: Request, action: Page) -> Response:
    """Act only for the mailbox's own forms: another site's page may post here, but not get anything done."""
    if not is_from_here(request):
        return _page(
            "This came from another site", markup.notice("Nothing was changed: this came from another site.", "/"), 403
        )
    return action()


def _download(content: bytes, filename: str, content_type: str) -> Response:
    safe_type = (
        content_type if re.fullmatch(r"[\w.+-]+/[\w.+-]+(;[^\r\n]*)?", content_type) else "application/octet-stream"
    )
    name = re.sub(r"[^\w.-]+", "-", filename, flags=re.ASCII).strip("-") or "attachment"
    place = f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(filename.encode('utf-8', 'replace'), safe='')}"
    return typed_response(content, safe_type, headers={**headers(FILE_POLICY), "Content-Disposition": place})


def _missing() -> Response:
    return _page(
        "We cannot find that page", markup.notice("This mail or page is not here. It may have been deleted.", "/"), 404
    )


def _page(title: str, body: str, status: int = 200) -> Response:
    return html_response(markup.layout(escape(title), body), _POLICY, status)
