"""Background work of this app."""

from __future__ import annotations

from celery import shared_task

from accounts import services


@shared_task
def forget_expired() -> None:
    """Every hour: ended sessions, and links long dead."""
    services.forget_expired()
