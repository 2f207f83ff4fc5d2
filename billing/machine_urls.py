"""Addresses for other machines. They answer with and without a trailing slash, never by redirect."""

from __future__ import annotations

from django.urls import path

from billing import webhooks
from billing.views import api

urlpatterns = [
    path("webhooks/stripe", webhooks.stripe, name="stripe_webhook"),
    path("webhooks/stripe/", webhooks.stripe, name="stripe_webhook"),
    path("api/subscriptions", api.api_subscriptions, name="api_subscriptions"),
    path("api/subscriptions/", api.api_subscriptions, name="api_subscriptions"),
    path("api/openapi.json", api.api_description_file, name="api_description"),
    path("api/openapi.json/", api.api_description_file, name="api_description"),
]
