from __future__ import annotations

from django.urls import path

from benchmarks.bare import views

urlpatterns = [
    path("alive/", views.alive),
    path("one/", views.one_query),
    path("webhook/", views.webhook),
    path("book/<str:event_id>/", views.book),
]
