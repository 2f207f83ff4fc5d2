"""The product's addresses, and one for each page that only trouble brings about."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from settings_app.decorators import too_many
from techdeputies import urls as product
from techdeputies.middleware import database_down
from techdeputies.views import csrf_failure

handler400, handler403 = product.handler400, product.handler403
handler404, handler500 = product.handler404, product.handler500

RAISED: dict[str, Exception] = {
    "bad-request": SuspiciousOperation("Asked for by a test."),
    "forbidden": PermissionDenied(),
    "not-found": Http404(),
    "broken": RuntimeError("Asked for by a test."),
}
STATUSES = {
    "bad-request": 400,
    "forbidden": 403,
    "old-form": 403,
    "not-found": 404,
    "too-many": 429,
    "broken": 500,
    "away": 503,
}


@login_not_required
def trouble(request: HttpRequest, kind: str) -> HttpResponse:
    """The site's own answer to that kind of trouble."""
    if kind in RAISED:
        raise RAISED[kind]
    if kind == "too-many":
        return too_many(request, 90)
    return database_down() if kind == "away" else csrf_failure(request)


urlpatterns = [*product.urlpatterns, path("trouble/<slug:kind>/", trouble, name="trouble")]
