"""Values as PostgreSQL takes them into text and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def clean_values(value: Any) -> Any:
    """``value`` without what text and JSON columns refuse: NUL, lone surrogates, numbers that are none.

    RecursionError when it is nested too deeply.
    """
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return value.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")
    if isinstance(value, Mapping):
        return {clean_values(str(key)): clean_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_values(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
