"""Finding events again: the older events list and the logs (API reference: Events, Logs).

Both lag behind what happened: an event is found only ``index_lag`` seconds after it came about.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from sandbox.mailgun.account import Account, parse_moment, require_domain, require_key
from sandbox.mailgun.wire import Refused, Request, Response, json_response

Condition = tuple[str, list[Any]]
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_ATTRIBUTES = {
    "message_id": "message_id",
    "recipient": "recipient",
    "domain": "domain",
    "event": "event",
    "subject": "json_extract(body, '$.message.headers.subject')",
    "reason": "json_extract(body, '$.reason')",
    "severity": "json_extract(body, '$.severity')",
}


def _indexed(account: Account) -> Condition:
    return "created <= ?", [time.time() - account.index_lag if account.index_lag else float("inf")]


# --- GET /v3/{domain}/events --------------------------------------------------------------------------
def get_events(account: Account, request: Request, domain: str, token: str) -> Response:
    require_key(account, request, right="read")
    require_domain(account, domain)
    query, place = (request.query, None) if not token else _open(token)
    limit = _limit(query.get("limit", "100"), 300)
    ascending = query.get("ascending", "no").lower() in ("yes", "true")
    where = [_indexed(account), ("domain = ?", [account.config.domain])]
    if query.get("message-id"):
        where.append(("message_id = ?", [query["message-id"]]))
    if query.get("recipient"):
        where.append(("recipient = ?", [query["recipient"].lower()]))
    if query.get("event"):
        names = [name.strip() for name in query["event"].split(" OR ")]
        where.append((f"event IN ({', '.join('?' * len(names))})", names))
    for name, sign in (("begin", ">=" if ascending else "<="), ("end", "<=" if ascending else ">=")):
        if query.get(name):
            where.append((f"created {sign} ?", [parse_moment(query[name], name)]))
    found = account.store.find_events(where, ascending=ascending, limit=limit, from_id=place)
    here = f"{account.host}/v3/{domain}/events"
    last = found[-1].id if found else place
    return json_response(
        {
            "items": [event.body for event in found],
            "paging": {
                "previous": f"{here}/{_seal(query, place)}",
                "first": f"{here}?{urlencode(query)}",
                "last": f"{here}/{_seal(query, last)}",
                "next": f"{here}/{_seal(query, last)}",
            },
        }
    )


def _seal(query: dict[str, str], place: int | None) -> str:
    return base64.urlsafe_b64encode(json.dumps([query, place]).encode()).decode().rstrip("=")


def _open(token: str) -> tuple[dict[str, str], int | None]:
    try:
        query, place = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return {str(name): str(value) for name, value in query.items()}, None if place is None else int(place)
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise Refused(400, "Invalid page token") from None


# --- POST /v1/analytics/logs --------------------------------------------------------------------------
def post_logs(account: Account, request: Request) -> Response:
    """Filters: AND of attribute, comparator and values, as far as ``_ATTRIBUTES`` and ``_compare`` know them."""
    require_key(account, request, right="read")
    asked = request.json()
    if not isinstance(asked, dict):
        raise Refused(400, "The body is not a JSON object")
    end = parse_moment(str(asked.get("end") or time.time()), "end")
    start = parse_moment(str(asked.get("start") or end - 86400), "start")
    if asked.get("duration"):
        start = end - _duration(str(asked["duration"]))
    where = [_indexed(account), ("created BETWEEN ? AND ?", [start, end])]
    names = _typed(asked, "events", list)
    if names:
        where.append((f"event IN ({', '.join('?' * len(names))})", [str(name) for name in names]))
    where += [_condition(item) for item in _typed(_typed(asked, "filter", dict), "AND", list)]
    pagination = _typed(asked, "pagination", dict)
    limit = _limit(str(pagination.get("limit", 100)), 1000)
    ascending = str(pagination.get("sort") or "timestamp:desc").endswith(":asc")
    place = _open(str(pagination["token"]))[1] if pagination.get("token") else None
    found = account.store.find_events(where, ascending=ascending, limit=limit, from_id=place)
    more = _seal({}, found[-1].id) if len(found) == limit else ""
    page = {"previous": "", "next": more, "first": "", "last": "", "total": len(found)}
    return json_response(
        {
            "start": _words(start),
            "end": _words(end),
            "items": [_log_item(event.body) for event in found],
            "pagination": page,
            "aggregates": {"all": 0, "metrics": {}},
        }
    )


def _typed(asked: dict[str, Any], name: str, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
    """The value under a name, empty when it is not there; refused when it is of another kind."""
    value = asked.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise Refused(400, f"Invalid {name}")
    return value


def _condition(item: Any) -> Condition:
    try:
        attribute, comparator = item["attribute"], item["comparator"]
        values = [str(value["value"]) for value in item["values"]]
    except (TypeError, KeyError):
        raise Refused(400, "Invalid filter") from None
    column = _ATTRIBUTES.get(attribute)
    if column is None:
        raise Refused(400, f"Invalid filter attribute: {attribute}")
    if attribute == "recipient":
        values = [value.lower() for value in values]
    if not values or comparator not in ("=", "!=", "contains"):
        raise Refused(400, "Invalid filter")
    if comparator == "contains":
        return f"instr({column}, ?) > 0", values[:1]
    return f"{column} {'IN' if comparator == '=' else 'NOT IN'} ({', '.join('?' * len(values))})", values


def _log_item(event: dict[str, Any]) -> dict[str, Any]:
    """Logs give the moment as text under another name; the rest is the event."""
    moment = datetime.fromtimestamp(event["timestamp"], UTC).isoformat(timespec="milliseconds")
    return {"@timestamp": moment.replace("+00:00", "Z"), **{k: v for k, v in event.items() if k != "timestamp"}}


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d{1,4})([mhd])", text)
    if not found:
        raise Refused(400, "'duration' parameter is not valid")
    return float(int(found[1]) * _UNITS[found[2]])


def _limit(text: str, most: int) -> int:
    if not re.fullmatch(r"\d{1,6}", text) or not 1 <= int(text) <= most:
        raise Refused(400, f"'limit' parameter must be between 1 and {most}")
    return int(text)


def _words(moment: float) -> str:
    return format_datetime(datetime.fromtimestamp(moment, UTC))
