"""The clock's jobs on bookings. Each takes what is due from the rows, so it may run twice."""

from celery import shared_task

from booking import services


@shared_task
def send_due_reminders() -> None:
    """Remind people of tomorrow's sessions; a second run finds none."""
    services.send_due_reminders()


@shared_task
def finish_cancelled_events() -> None:
    """Complete cancelled events that a crash left half done."""
    services.finish_cancelled_events()
