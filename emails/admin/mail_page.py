"""A mail shown alone, as its reader sees it: its inline styles need a policy that no other page has."""

from __future__ import annotations

from csp.constants import HEADER as CSP_HEADER
from django.http import HttpResponse

_POLICY = (
    "sandbox; default-src 'none'; img-src {images}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors {framed_by}"
)


def mail_page(html: str, *, images: str = "'self'", framed_by: str = "'none'") -> HttpResponse:
    """Nothing in it runs, and it counts as another site. ``framed_by`` is ``'self'`` for a frame of ours."""
    answer = HttpResponse(html)
    answer.headers[CSP_HEADER] = _POLICY.format(images=images, framed_by=framed_by)
    answer.headers["X-Frame-Options"] = "SAMEORIGIN" if framed_by == "'self'" else "DENY"
    return answer
