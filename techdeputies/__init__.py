"""The Tech Deputies. Importing the package makes the Celery app known to every task."""

from techdeputies.celery import app as celery_app

__all__ = ["celery_app"]
