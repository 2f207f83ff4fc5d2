"""What a person calls the thing they are signed in on."""

from __future__ import annotations

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("DuckDuckGo", "DuckDuckGo"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_MACHINES = (
    ("iPad", "an iPad"),
    ("iPhone", "an iPhone"),
    ("CrOS", "a Chromebook"),
    ("Windows", "a Windows computer"),
    ("Macintosh", "a Mac"),
    ("Linux", "a Linux computer"),
)


def device_words(user_agent: str) -> str:
    """``Chrome on a Windows computer``. Only words from our own lists, as anyone can send any text."""
    browser = next((words for mark, words in _BROWSERS if mark in user_agent), "A browser")
    if "Android" in user_agent:
        machine = "an Android phone" if "Mobile" in user_agent else "an Android tablet"
    else:
        machine = next((words for mark, words in _MACHINES if mark in user_agent), "a device we do not know")
    return f"{browser} on {machine}"
