"""Tidying of the counters."""

from celery import shared_task

from settings_app import services


@shared_task
def forget_old_limits() -> None:
    """Drop counters nobody will ask about again."""
    services.forget_old_limits()
