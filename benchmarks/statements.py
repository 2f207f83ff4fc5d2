"""Count the SQL statements of each page, warm, in this process; printed as JSON: address to number."""

from __future__ import annotations

import json
import sys

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

NOT_COUNTED = ("BEGIN", "COMMIT")


def count(client: Client, path: str, form: dict[str, str] | None = None) -> int:
    with CaptureQueriesContext(connection) as captured:
        if form is None:
            response = client.get(path, secure=True)
        else:
            response = client.post(path, form, secure=True)
    if response.status_code not in (200, 302):
        raise SystemExit(f"{path} answered {response.status_code}.")
    return sum(query["sql"] not in NOT_COUNTED for query in captured.captured_queries)


def main() -> None:
    """Standard input: {"session": cookie value, "signed_out": [...], "signed_in": [...], "posts": {address: form}}."""
    asked = json.load(sys.stdin)
    headers = {"Host": "127.0.0.1", "X-Forwarded-For": "198.51.100.9"}
    visitor, person = Client(headers=headers), Client(headers=headers)
    person.cookies[settings.SESSION_COOKIE_NAME] = asked["session"]
    found: dict[str, dict[str, int]] = {"signed_out": {}, "signed_in": {}, "posts": {}}
    for kind, client in (("signed_out", visitor), ("signed_in", person)):
        for path in asked[kind]:
            count(client, path)  # the first answer fills caches
            found[kind][path] = count(client, path)
    for path, form in asked["posts"].items():
        found["posts"][path] = count(person, path, form)
    json.dump(found, sys.stdout)
