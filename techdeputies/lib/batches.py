"""One statement over many rows, in batches that lock few and for short."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.db import connection


def repeat(sql: str, values: Mapping[str, Any], *, limit: int, deadline: float) -> tuple[int, bool]:
    """Run ``sql``, which changes ``%(limit)s`` rows at most, until it finds fewer or ``time.monotonic()`` passes.

    How many rows were changed, and whether time ran out before they were all. Each run is a transaction of its own.
    """
    total = 0
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(sql, {**values, "limit": limit})
            changed = cursor.rowcount
        total += changed
        if changed < limit:
            return total, False
    return total, True
