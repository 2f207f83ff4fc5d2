"""Who acts, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from django.http import HttpRequest

from techdeputies.lib.http import client_ip

USER_AGENT_MAX_LENGTH = 500


@dataclass(frozen=True)
class Actor:
    """A person at a device, or the system (``user`` is None). The address is the one limits count by."""

    user: Any = None
    ip_address: str | None = None
    user_agent: str | None = None

    @classmethod
    def from_request(cls, request: HttpRequest) -> Self:
        """The signed-in person of the request; nobody when signed out."""
        user = getattr(request, "user", None)
        agent = request.META.get("HTTP_USER_AGENT", "").replace("\x00", "")
        return cls(
            user=user if user is not None and user.is_authenticated else None,
            ip_address=client_ip(request),
            user_agent=agent[:USER_AGENT_MAX_LENGTH] or None,
        )

    @classmethod
    def system(cls) -> Self:
        """A task or a command: no person, no address."""
        return cls()
