"""The version of the list of times, so that a kept copy of it is not served after a change in this process.

It rises at once with a change, and once a second at most: while places go by the hundred, the list is not
rendered for each of them. Other processes follow when their copy has run out, some seconds later; a place is
checked again when it is booked.
"""

from __future__ import annotations

import math
import time

from django.db import transaction

QUIET_SECONDS = 1.0

_version = 0
_is_old = False
_risen_at = -math.inf


def current() -> int:
    """The version to look for. Threads may raise it twice for one change, which costs one rendering."""
    global _version, _is_old, _risen_at
    if _is_old and time.monotonic() - _risen_at >= QUIET_SECONDS:
        _is_old = False
        _risen_at = time.monotonic()
        _version += 1
    return _version


def bump() -> None:
    global _is_old
    _is_old = True


def bump_on_commit() -> None:
    """Call it in the transaction that changes a time or a place."""
    transaction.on_commit(bump)


def forget() -> None:
    """Rise at the next question, whenever that was last done: between tests."""
    global _is_old, _risen_at
    _is_old, _risen_at = True, -math.inf
