"""Rendered pieces kept for a few seconds in this process.

For what is the same for everybody and costs more to render than to keep. Not in the shared cache: a round trip
to it costs as much as a query, and a page must not depend on it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

MOST_KEPT = 120


@dataclass(slots=True)
class _Kept:
    html: str = ""
    until: float = 0.0
    filled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_pieces: dict[Hashable, _Kept] = {}
_generation = threading.Lock()


def kept(key: Hashable, seconds: float, render: Callable[[], str]) -> str:
    """The piece under ``key``, rendered anew when it is older than ``seconds``.

    One thread renders at a time; the others are served the old one meanwhile, so nobody waits when it runs out.
    """
    piece = _pieces.get(key)
    if piece is None:
        with _generation:
            if len(_pieces) >= MOST_KEPT:
                _make_room()
            piece = _pieces.setdefault(key, _Kept())
    if piece.filled and time.monotonic() < piece.until:
        return piece.html
    if not piece.lock.acquire(blocking=not piece.filled):
        return piece.html
    try:
        if not piece.filled or time.monotonic() >= piece.until:
            piece.html = render()
            piece.until = time.monotonic() + seconds
            piece.filled = True
        return piece.html
    finally:
        piece.lock.release()


def _make_room() -> None:
    """Drop what has run out; where nothing has, everything."""
    now = time.monotonic()
    for key in [key for key, piece in _pieces.items() if piece.filled and piece.until <= now]:
        del _pieces[key]
    if len(_pieces) >= MOST_KEPT:
        _pieces.clear()


def forget_all() -> None:
    """Drop every piece, for tests that change what is behind them."""
    with _generation:
        _pieces.clear()
