"""Every address of the site. Machines' addresses answer with and without a trailing slash, never by redirect."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from techdeputies import health, views

urlpatterns = [
    path("", views.home, name="home"),
    path("dashboard/", views.dashboard, name="dashboard"),
    path("help/", views.help_page, name="help"),
    path("privacy/", views.privacy, name="privacy"),
    path("terms/", views.terms, name="terms"),
    path("display/", views.display_settings, name="display_settings"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("accounts/", include("accounts.urls")),
    path("", include("billing.urls")),
    path("booking/", include("booking.urls")),
    path("emails/", include("emails.urls")),
    path("", include("emails.machine_urls")),
    path("", include("billing.machine_urls")),
    path("admin/", admin.site.urls),
]

handler400 = "techdeputies.views.bad_request"
handler403 = "techdeputies.views.permission_denied"
handler404 = "techdeputies.views.page_not_found"
handler500 = "techdeputies.views.server_error"
