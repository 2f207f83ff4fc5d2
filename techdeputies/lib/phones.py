"""Phone numbers as people of the United States write them."""

from __future__ import annotations

import re

_US_NUMBER = re.compile(
    r"(?:\+?1[\s.\-/\u2010-\u2015]*)?"
    r"\(?([2-9][0-9]{2})\)?[\s.\-/\u2010-\u2015]*([2-9][0-9]{2})[\s.\-/\u2010-\u2015]*([0-9]{4})"
    r"(?:[\s,;]*(?:x|ext\.?|extension|#)\s*\.?\s*([0-9]{1,6}))?",
    re.IGNORECASE,
)


def phone_words(typed: str) -> str:
    """``(312) 555-0198`` or ``(312) 555-0198 ext. 12``; a number of another country stays as it was typed."""
    found = _US_NUMBER.fullmatch(typed.strip())
    if found is None:
        return typed
    area, exchange, line, extension = found.groups()
    number = f"({area}) {exchange}-{line}"
    return f"{number} ext. {extension}" if extension else number
