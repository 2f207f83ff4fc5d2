"""Which path is which page for people. What is under /v1 is the API, and no affair of this file."""

from __future__ import annotations

import re

from sandbox.lib.pages import Page, is_from_here, see_other, static_file
from sandbox.stripe import markup, pages_checkout, pages_control, pages_invoices, pages_portal
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError
from sandbox.stripe.outage import Outage
from sandbox.stripe.webhooks import Sender
from sandbox.stripe.wire import Request, Response, text_response


def find_page(account: Account, webhooks: Sender, outage: Outage, request: Request) -> Page:
    """The page at a path, or the one that says there is none."""
    return lambda: _guarded(account, webhooks, outage, request)


def _guarded(account: Account, webhooks: Sender, outage: Outage, request: Request) -> Response:
    if request.method == "POST" and not is_from_here(request):
        return markup.notice("Nothing was changed", "This came from another site.", back="/", status=403)
    try:
        return _page(account, webhooks, outage, request) or _missing()
    except ApiError as error:
        if error.code == "resource_missing":
            return _missing()
        return markup.notice("That did not work", error.message, status=400)
    except (TypeError, ValueError):  # a path with a part too many, or a form with too many fields
        return _missing()


def _page(account: Account, webhooks: Sender, outage: Outage, request: Request) -> Response | None:
    path = request.path
    if request.method == "GET":
        if path == "/healthz":
            return text_response("ok")
        if path == "/":
            return pages_control.show(account, webhooks, outage)
        if path.startswith("/static/") or path == f"/{markup.OWN_CSS.name}":
            return static_file(path, markup.OWN_CSS)
        if found := re.fullmatch(r"/i/(in_\w+)/pdf", path):
            return see_other(f"/i/{found[1]}")
        if found := re.fullmatch(r"/receipt/(ch_\w+)", path):
            return pages_invoices.show_receipt(account, found[1])
    elif request.method != "POST":
        return None
    elif path == "/act/":
        return pages_control.act(account, webhooks, outage, request)
    if found := re.fullmatch(r"/c/pay/(cs_\w+)", path):
        return pages_checkout.show(account, found[1], request)
    if found := re.fullmatch(r"/i/(in_\w+)", path):
        return pages_invoices.show_invoice(account, found[1], request)
    if found := re.fullmatch(r"/p/session/(bps_\w+)(/[\w/]*)?", path):
        return pages_portal.show(account, found[1], found[2] or "", request)
    return None


def _missing() -> Response:
    return markup.notice("We cannot find that page", "It may have been used already, or never was.", status=404)
