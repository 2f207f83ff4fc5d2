"""The three lists of addresses Mailgun does not deliver to (API reference: Bounces, Unsubscribe, Complaints)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sandbox.mailgun.account import Account, require_domain, require_key
from sandbox.mailgun.messages import addresses
from sandbox.mailgun.wire import Refused, Request, Response, json_response

MAX_AT_ONCE = 1000
_ABSENT = {"bounces": "bounces table", "unsubscribes": "unsubscribers table", "complaints": "spam complaints table"}
_LIFTED = {
    "bounces": "Bounced address has been removed",
    "unsubscribes": "Unsubscribe event has been removed",
    "complaints": "Spam complaint has been removed",
}
_EMPTIED = {
    "bounces": "Bounced addresses for this domain have been removed",
    "unsubscribes": "Unsubscribe addresses for this domain have been removed",
    "complaints": "Complaint addresses for this domain have been removed",
}


def whole_list(account: Account, request: Request, domain: str, name: str) -> Response:
    _check(account, request, domain)
    if request.method == "GET":
        return _page(account, request, name)
    if request.method == "POST":
        return _add(account, request, name)
    if request.method == "DELETE":
        account.store.lift(account.config.domain, name, None)
        return json_response({"message": _EMPTIED[name]})
    return json_response({"message": "Method Not Allowed"}, 405)


def one_address(account: Account, request: Request, domain: str, name: str, address: str) -> Response:
    _check(account, request, domain)
    if request.method == "GET":
        found = account.store.list_suppressed(account.config.domain, name, address=address)
        if not found:
            raise Refused(404, f"Address not found in {_ABSENT[name]}")
        return json_response(_entry(*found[0]))
    if request.method == "DELETE":
        if not account.store.lift(account.config.domain, name, address):
            raise Refused(404, f"Address not found in {_ABSENT[name]}")
        return json_response({"message": _LIFTED[name], "address": address})
    return json_response({"message": "Method Not Allowed"}, 405)


def _check(account: Account, request: Request, domain: str) -> None:
    require_key(account, request, right="read" if request.method == "GET" else "write")
    require_domain(account, domain)


def _page(account: Account, request: Request, name: str) -> Response:
    limit = request.query.get("limit", "100")
    if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
        raise Refused(400, "'limit' parameter must be between 1 and 1000")
    domain = account.config.domain
    start = request.query.get("address", "") if request.query.get("page") == "next" else ""
    found = account.store.list_suppressed(domain, name, after=start, limit=int(limit))
    here = f"{account.host}/v3/{domain}/{name}"
    last = found[-1][0] if found else start
    following = f"{here}?{urlencode({'page': 'next', 'address': last, 'limit': limit})}"
    first = f"{here}?{urlencode({'limit': limit})}"
    paging = {"first": first, "previous": first, "next": following, "last": following}
    return json_response({"items": [_entry(*item) for item in found], "paging": paging})


def _add(account: Account, request: Request, name: str) -> Response:
    if request.media_type == "application/json":
        given = request.json()
        many = isinstance(given, list)
        entries = given if many else [given]
    else:
        form = request.form()
        fields: dict[str, Any] = {key: values[0] for key, values in form.fields.items()}
        fields["tags"] = form.fields.get("tag") or form.fields.get("tags")
        many, entries = False, [fields]
    if not 1 <= len(entries) <= MAX_AT_ONCE:
        raise Refused(400, "Between 1 and 1000 addresses can be added at once")
    rows = [_read(name, entry) for entry in entries]
    account.store.suppress(account.config.domain, name, rows)
    if many:
        return json_response({"message": f"{len(rows)} addresses have been added to the {name} table"})
    address, details = rows[0]
    return json_response({"message": f"Address has been added to the {name} table", "address": address, **details})


def _read(name: str, entry: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("address"), str):
        raise Refused(400, "'address' parameter is missing")
    address = addresses("address", [entry["address"]])[0]
    if name == "bounces":
        return address, {"code": str(entry.get("code") or "550"), "error": str(entry.get("error") or "")}
    if name == "unsubscribes":
        tags = entry.get("tags") or ["*"]
        return address, {"tags": [str(tag) for tag in tags] if isinstance(tags, list) else [str(tags)]}
    return address, {}


def _entry(address: str, created: float, details: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(created, UTC).strftime("%a, %d %b %Y %H:%M:%S UTC")
    return {"address": address, **details, "created_at": moment}
