"""Which path is which page for people. Everything else under the stand-in's address is the API."""

from __future__ import annotations

from sandbox.lib.pages import Page
from sandbox.stripe.account import Account
from sandbox.stripe.outage import Outage
from sandbox.stripe.webhooks import Sender
from sandbox.stripe.wire import Request, text_response


def find_page(account: Account, webhooks: Sender, outage: Outage, request: Request) -> Page:
    """The page at a path, or the one that says there is none."""
    if request.method == "GET" and request.path == "/healthz":
        return lambda: text_response("ok")
    return lambda: text_response("There is no such page.", 404)
