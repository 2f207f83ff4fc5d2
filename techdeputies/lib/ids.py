"""Opaque ids for rows whose address people see."""

from cuid2 import create_id

ID_MAX_LENGTH = 36
"""Room for our 24 characters, the old site's 25 (cuid v1), and more."""


def new_id() -> str:
    """A new cuid2: 24 lower-case letters and digits, first a letter, not guessable."""
    return create_id()
