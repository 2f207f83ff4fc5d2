"""Waking a worker after a commit: one run is asked for at a time, and a lost wish costs one tick of the clock.

The rows are the truth and the beat's own run finds them, so nothing here ever raises. Tasks are named, not
imported, since they stand above the services that wake them.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery import current_app
from django.core.cache import cache

logger = structlog.get_logger(__name__)

QUIET_SECONDS = 5.0

_quiet_until = 0.0


def key(task_name: str) -> str:
    """The cache key that stands while a run is asked for and has not begun."""
    return f"wake:{task_name}"


def ask_for(task_name: str) -> None:
    """Ask for one run of the task, unless one is already asked for. Never raises.

    The key stands for "asked for and not begun": the task calls ``begun`` before its first claim, so whoever
    finds it standing knows that the coming claim will see his row. It lives one second, should the task be
    lost. While Redis is down nothing is tried for some seconds, so no request waits for it; the beat's own
    run finds the rows.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        free = cache.add(key(task_name), 1, timeout=1)
        if free is None:
            raise ConnectionError("the cache does not answer")
        if free:
            send_task(task_name)
    except Exception as error:
        _quiet_until = time.monotonic() + QUIET_SECONDS
        logger.warning("wake_failed", task=task_name, error=type(error).__name__)


def begun(task_name: str) -> None:
    """Called by a task before its first look: who commits from now on asks for another run."""
    cache.delete(key(task_name))


def go_on(task_name: str, *, expires: int = 60, **options: Any) -> None:
    """Queue a further run for work that is left. Never raises."""
    try:
        send_task(task_name, expires=expires, **options)
    except Exception as error:
        logger.warning("wake_failed", task=task_name, error=type(error).__name__)


def forget_faults() -> None:
    """Try the broker again at once; for tests."""
    global _quiet_until
    _quiet_until = 0.0


def send_task(task_name: str, *, expires: int = 60, **options: Any) -> None:
    """Queue one run. Raises whatever the broker raises."""
    current_app.send_task(task_name, retry=False, expires=expires, **options)
