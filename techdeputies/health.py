"""``/livez``: the process runs. ``/readyz``: it can serve.

Answered by the outermost middleware, so that neither host check, https redirect, session nor trailing slash is
in the way, and so that a dead database cannot make a live process look dead.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import Any

import structlog
from django.contrib.auth.decorators import login_not_required
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection

from techdeputies.lib import heartbeat

logger = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase]

SECONDS = 0.9
"""How long a check may take. A frozen database accepts connections and then says nothing."""


@login_not_required
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """200 while the process answers. Touches nothing."""
    return _answer({"status": "ok"}, 200)


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and every migration is applied, else 503.

    A dead cache, and workers that have not been heard of for two minutes, are only told.
    """
    cache, workers = _cache.start(), _workers.start()
    facts = {"database": _database.result(), "cache": _cache.result(cache)}
    # Their sign of life is kept in the cache.
    facts["workers"] = _workers.result(workers) if facts["cache"] == "ok" else "unknown"
    if facts["database"] != "ok":
        return _answer({"status": "unavailable", **facts}, 503)
    is_well = all(fact == "ok" for fact in facts.values())
    return _answer({"status": "ok" if is_well else "degraded", **facts}, 200)


def _answer(facts: dict[str, str], status: int) -> JsonResponse:
    response = JsonResponse(facts, status=status)
    response.headers["Cache-Control"] = "no-store"
    if status == 503:
        response.headers["Retry-After"] = "5"
    return response


class _Check:
    """A check in a thread of its own, given up after ``SECONDS``. One that hangs is not started a second time."""

    def __init__(self, name: str, ask: Callable[[], str]) -> None:
        self.name = name
        self.ask = ask
        self.pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"readyz-{name}")
        self.running: Future[str] | None = None

    def start(self) -> Future[str]:
        running = self.running
        if running is None or running.done():
            running = self.running = self.pool.submit(self.ask)
        return running

    def result(self, running: Future[str] | None = None) -> str:
        try:
            return (running or self.start()).result(timeout=SECONDS)
        except TooLate:
            logger.warning("readiness_too_slow", check=self.name)
            return "no answer"
        except Exception as trouble:
            logger.warning("readiness_refused", check=self.name, reason=type(trouble).__name__)
            return "unreachable"


_expected: set[tuple[str, str]] = set()
_all_applied = False


def _ask_database() -> str:
    """A real query on a connection of this thread. Once every migration was seen applied, it is not asked again."""
    global _all_applied
    connection = connections["default"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _all_applied:
            if not _expected:
                _expected.update(MigrationLoader(None, ignore_no_migrations=True).graph.nodes)
            _all_applied = _expected <= set(MigrationRecorder(connection).applied_migrations())
        return "ok" if _all_applied else "migrations are missing"
    finally:
        connection.close()


def _ask_cache() -> str:
    get_redis_connection("default").ping()
    return "ok"


def _ask_workers() -> str:
    return "ok" if heartbeat.is_heard() else "late"


_database = _Check("database", _ask_database)
_cache = _Check("cache", _ask_cache)
_workers = _Check("workers", _ask_workers)

PATHS: dict[str, Callable[[HttpRequest], Any]] = {
    "/livez": livez,
    "/livez/": livez,
    "/readyz": readyz,
    "/readyz/": readyz,
}


class HealthMiddleware:
    """Answers the health addresses before anything else looks at the request."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = PATHS.get(request.path_info)
        return view(request) if view is not None else self.get_response(request)
