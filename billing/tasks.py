"""The clock's jobs on plans."""

from celery import shared_task

from billing.services import subscriptions


@shared_task
def end_lapsed_plans() -> None:
    """Mark given plans whose time is over as ended; a second run finds none."""
    subscriptions.end_lapsed_plans()
