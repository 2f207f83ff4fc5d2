"""What a new password must not be, beyond Django's length and list of common ones."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError

SITE_WORDS = ("thetechdeputies", "techdeputies", "techdeputy", "deputies", "deputy")
EXAMPLE = "river-spoon-tuesday"
"""Shown beside the box, so the first thing anyone would guess."""
SHORTEST_WORD = 4
MUST_REMAIN = 6


class NotAboutYouValidator:
    """Refuse a password that is little more than the person's name, their address or the name of this site."""

    def validate(self, password: str, user: Any = None) -> None:
        rest = _letters(password)
        if _letters(EXAMPLE) in rest:
            raise ValidationError(
                "That is our own example, so others know it. Please choose three words of your own.",
                code="password_is_the_example",
            )
        found = False
        for word in sorted(self._words(user), key=len, reverse=True):
            if word in rest:
                rest = rest.replace(word, "")
                found = True
        if found and len(rest) < MUST_REMAIN:
            raise ValidationError(
                "That password is easy to guess, because it is made of your name, your address or our name."
                " Please choose another one.",
                code="password_about_you",
            )

    def get_help_text(self) -> str:
        return "Do not use your name, your email address or our name."

    @staticmethod
    def _words(user: Any) -> set[str]:
        email = getattr(user, "email", "") or ""
        name = getattr(user, "name", "") or ""
        local, _, domain = email.partition("@")
        words = {_letters(part) for part in (email, local, domain, name)}
        words |= {_letters(part) for part in re.split(r"[\W_]+", f"{name} {local} {domain}")}
        words |= set(SITE_WORDS)
        return {word for word in words if len(word) >= SHORTEST_WORD}


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
