from django.urls import path

from emails import views

app_name = "emails"

urlpatterns = [
    path("", views.choices, name="choices"),
    path("unsubscribe/<str:token>/", views.unsubscribe, name="unsubscribe"),
]
