"""Addresses for other machines. They answer with and without a trailing slash, never by redirect."""

from __future__ import annotations

from django.urls import path

from emails import webhooks

urlpatterns = [
    path("webhooks/mailgun", webhooks.mailgun, name="mailgun_webhook"),
    path("webhooks/mailgun/", webhooks.mailgun, name="mailgun_webhook"),
]
