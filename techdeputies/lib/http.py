"""Facts of a request that must not be believed blindly."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str:
    """The address that limits and audits count by.

    Each trusted proxy appends the address it saw, so with N of them the client is the Nth hop from the
    right; what stands further left is the client's own word. With no proxy, or with a header too short or
    not an address, it is the socket's. IPv4 inside IPv6 is unfolded, IPv6 is cut to its /64, which one
    household or attacker holds whole.
    """
    socket = request.META.get("REMOTE_ADDR", "")
    hops = settings.TRUSTED_PROXY_COUNT
    if hops:
        forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        if len(forwarded) >= hops:
            found = _fold(forwarded[-hops])
            if found:
                return found
    return _fold(socket) or "unknown"


def _fold(raw: str) -> str:
    try:
        address = ipaddress.ip_address(raw)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        network = ipaddress.ip_network((int(address), 64), strict=False)
        return str(network)
    return str(address)
