"""Opaque ids for rows whose address people see."""

from cuid2 import cuid_wrapper

ID_MAX_LENGTH = 36
"""Room for our 24 characters, the old site's 25 (cuid v1), and more."""

_generate = cuid_wrapper()


def new_id() -> str:
    """A new cuid2: 24 lower-case letters and digits, first a letter, not guessable."""
    return _generate()
