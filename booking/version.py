"""The version of the list of times, so that a kept copy of it is not served after a change in this process.

Other processes follow when their copy has run out, some seconds later; a place is checked again when it is booked.
"""

from __future__ import annotations

from itertools import count

from django.db import transaction

_numbers = count(1)
_version = 0


def current() -> int:
    return _version


def bump() -> None:
    global _version
    _version = next(_numbers)


def bump_on_commit() -> None:
    """Call it in the transaction that changes a time or a place."""
    transaction.on_commit(bump)
