"""What apps above show on a person's page of the staff desk.

Each entry is called with the request and the person, and answers the name of its template under ``template`` with
what that shows, or None. Apps above add themselves when their own pages are loaded: accounts knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from accounts.models import User

PANELS: list[Callable[[HttpRequest, User], dict[str, Any] | None]] = []


def panels_of(request: HttpRequest, person: User) -> list[dict[str, Any]]:
    """Those that have something to show to this member of staff."""
    found = (panel(request, person) for panel in PANELS)
    return [panel for panel in found if panel is not None]
