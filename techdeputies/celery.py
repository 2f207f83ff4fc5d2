"""The Celery app and the clock.

Every job of the clock takes "what is due" from rows, so two beats, or none for an hour, do no harm.
"""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techdeputies.settings")

app = Celery("techdeputies")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "drain-outbox": {"task": "emails.tasks.drain_outbox", "schedule": 15.0},
    "drain-critical": {"task": "emails.tasks.drain_critical", "schedule": 15.0},
    "recover-stuck-mail": {"task": "emails.tasks.recover_stuck", "schedule": 60.0},
    "purge-old-mail": {"task": "emails.tasks.purge_old", "schedule": crontab(hour=8, minute=20)},
    "clear-ended-mail-stops": {"task": "emails.tasks.clear_expired_suppressions", "schedule": 600.0},
    "sound-mail-alarms": {"task": "emails.tasks.sound_alarms", "schedule": 60.0},
    "show-life": {"task": "emails.tasks.show_life", "schedule": 30.0},
    "apply-mailgun-posts": {"task": "emails.tasks.apply_posts", "schedule": 30.0},
    "reconcile-silent-mail": {"task": "emails.tasks.reconcile_silent", "schedule": crontab(hour=8, minute=40)},
    "remind-of-visits": {"task": "booking.tasks.send_due_reminders", "schedule": 300.0},
    "finish-cancelled-events": {"task": "booking.tasks.finish_cancelled_events", "schedule": 60.0},
    "apply-stripe-events": {"task": "billing.tasks.apply_events", "schedule": 30.0},
    "sweep-money": {"task": "billing.tasks.sweep", "schedule": 60.0},
    "fetch-missed-stripe-events": {"task": "billing.tasks.fetch_missed", "schedule": 3600.0},
    "reconcile-with-stripe": {"task": "billing.tasks.reconcile_nightly", "schedule": crontab(hour=9, minute=10)},
    "blank-old-stripe-events": {"task": "billing.tasks.blank_old_events", "schedule": crontab(hour=8, minute=50)},
    "end-grace-of-plans": {"task": "billing.tasks.end_grace", "schedule": 900.0},
    "warn-of-ending-plans": {"task": "billing.tasks.warn_of_ending", "schedule": 3600.0},
    "ask-about-late-plans": {"task": "billing.tasks.ask_about_late", "schedule": 600.0},
    "end-lapsed-plans": {"task": "billing.tasks.end_lapsed_plans", "schedule": 900.0},
    "forget-expired-sign-ins": {"task": "accounts.tasks.forget_expired", "schedule": 3600.0},
    "forget-old-limits": {"task": "settings_app.tasks.forget_old_limits", "schedule": 3600.0},
}
