"""POST a message, and read one back by its storage key (API reference: Messages)."""

from __future__ import annotations

import re
import secrets
import time
from email.utils import getaddresses

from sandbox.mailgun.account import Account, require_domain, require_key
from sandbox.mailgun.mail import Mail
from sandbox.mailgun.wire import MAX_MESSAGE_BYTES, Form, Refused, Request, Response, json_response

OPTION_BYTES = 16 * 1024  # of all o:, h:, v: and t: fields together
MAX_RECIPIENTS = 1000

_ADDRESS = re.compile(
    r"""(?:[^\s@<>(),;:"\\\[\]]{1,64}|"[^"\r\n]{1,62}")@(?=.{1,253}$)[^\W_](?:[\w-]{0,61}[^\W_])?(?:\.[^\W_](?:[\w-]{0,61}[^\W_])?)*"""
)
_MESSAGE_ID = re.compile(r"<[^\s<>@]+@[^\s<>@]+>")


def post_message(account: Account, request: Request, domain: str) -> Response:
    require_key(account, request, right="send")
    require_domain(account, domain)
    form = request.form()
    mail = read_message(form, account.config.domain, len(request.content))
    tags, everybody = mail.tags, mail.recipients
    mail.suppressed.update(account.store.suppressed(mail.domain, everybody, tags))
    mail = account.store.add(mail, form.files)
    if form.files:
        mail = account.store.mail(mail.id) or mail
    account.record(mail, "accepted")
    stopped = [address for address in everybody if address.lower() in mail.suppressed]
    if stopped:
        account.record(mail, "suppressed", stopped)
    if account.config.auto_deliver and not mail.is_test_mode:
        account.record(mail, "delivered", [address for address in everybody if address not in stopped])
    return json_response({"id": f"<{mail.message_id}>", "message": "Queued. Thank you."})


def read_message(form: Form, domain: str, size: int) -> Mail:
    """The posted fields as a message, refused as Mailgun refuses them."""
    for name in ("from", "to"):
        if not form.first(name).strip():
            raise Refused(400, f"{name} parameter is missing")
    if "subject" not in form.fields:
        raise Refused(400, "subject parameter is missing")
    if not any(form.first(name) for name in ("text", "html", "amp-html", "template")):
        raise Refused(400, "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified")
    if size > MAX_MESSAGE_BYTES:
        raise Refused(413, "Message is too big: 25 MB is the limit")
    groups: dict[str, dict[str, str]] = {"h": {}, "v": {}}
    options: dict[str, list[str]] = {}
    used = 0
    for name, values in form.fields.items():
        prefix, colon, rest = name.partition(":")
        if colon and prefix in ("o", "h", "v", "t"):
            used += sum(len(name.encode()) + len(value.encode("utf-8", "replace")) for value in values)
        if colon and prefix in groups:
            groups[prefix][rest] = values[-1]
        elif name not in ("from", "to", "subject", "text", "html", "o:tag"):
            options[name] = values
    if used > OPTION_BYTES:
        raise Refused(400, "The o:, h:, v: and t: parameters are limited to 16 KB in total")
    addresses("from", form.fields["from"])
    to = addresses("to", form.fields["to"])
    everybody = to + [item for name in ("cc", "bcc") for item in addresses(name, form.fields.get(name, []))]
    recipients = list({address.lower(): address for address in everybody}.values())
    if len(recipients) > MAX_RECIPIENTS:
        raise Refused(400, "'to' parameter has more than 1,000 recipients")
    now = time.time()
    return Mail(
        id=0,
        domain=domain,
        message_id=_message_id(groups["h"], domain, now),
        sender=form.first("from"),
        to=to,
        recipients=recipients,
        to_header=", ".join(form.fields["to"]),
        subject=form.first("subject"),
        text=form.first("text"),
        html=form.first("html"),
        headers=groups["h"],
        variables=groups["v"],
        tags=form.fields.get("o:tag", []),
        options=options,
        created=now,
        size=size,
        suppressed={},
    )


def addresses(name: str, values: list[str]) -> list[str]:
    found = [address for _words, address in getaddresses(values)]
    if (values and not found) or not all(_ADDRESS.fullmatch(address) for address in found):
        raise Refused(400, f"'{name}' parameter is not a valid address. please check documentation")
    return found


def _message_id(headers: dict[str, str], domain: str, now: float) -> str:
    """The sender's own id when it is well formed; anything else is replaced without a word."""
    given = next((value.strip() for name, value in headers.items() if name.lower() == "message-id"), "")
    if _MESSAGE_ID.fullmatch(given):
        return given[1:-1]
    return f"{time.strftime('%Y%m%d%H%M%S', time.gmtime(now))}.{secrets.token_hex(8)}@{domain}"


def get_stored(account: Account, request: Request, domain: str, key: str) -> Response:
    require_key(account, request, right="read")
    require_domain(account, domain)
    mail = account.store.mail(int(key[1:])) if re.fullmatch(r"m\d{1,15}", key) else None
    if mail is None:
        raise Refused(404, "Message not found")
    return json_response(
        {
            "From": mail.sender,
            "To": mail.to_header,
            "Subject": mail.subject,
            "Message-Id": f"<{mail.message_id}>",
            "sender": next(iter(addresses("from", [mail.sender])), ""),
            "recipients": ", ".join(mail.recipients),
            "body-plain": mail.text,
            "body-html": mail.html,
            "message-headers": [[name, value] for name, value in mail.headers.items()],
        }
    )
