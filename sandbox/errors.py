"""The one way this package says no."""

from __future__ import annotations


class Refusal(Exception):
    """A start that cannot go on; its text is one or two sentences for the person at the keyboard."""
