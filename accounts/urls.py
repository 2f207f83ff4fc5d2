from django.urls import path

from accounts import views

app_name = "accounts"

urlpatterns = [
    path("signup/", views.signup, name="signup"),
    path("login/", views.login, name="login"),
    path("logout/", views.logout, name="logout"),
    path("verify/", views.verify, name="verify"),
    path("verify/send/", views.verify_send, name="verify_send"),
    path("password/reset/", views.password_reset, name="password_reset"),
    path("password/reset/sent/", views.password_reset_sent, name="password_reset_sent"),
    path("password/reset/confirm/", views.password_reset_confirm, name="password_reset_confirm"),
    path("password/change/", views.password_change, name="password_change"),
    path("email/change/", views.email_change, name="email_change"),
    path("email/change/confirm/", views.email_change_confirm, name="email_change_confirm"),
    path("email/change/undo/", views.email_change_undo, name="email_change_undo"),
    path("profile/", views.profile, name="profile"),
    path("profile/name/", views.profile_name, name="profile_name"),
    path("profile/phone/", views.profile_phone, name="profile_phone"),
    path("profile/time-zone/", views.profile_time_zone, name="profile_time_zone"),
    path("delete/", views.delete, name="delete"),
    path("delete/keep/", views.delete_keep, name="delete_keep"),
    path("delete/done/", views.delete_done, name="delete_done"),
    path("delete/undo/", views.delete_undo, name="delete_undo"),
    path("sessions/", views.session_list, name="session_list"),
    path("sessions/end/", views.session_end, name="session_end"),
    path("sessions/end-all/", views.session_end_all, name="session_end_all"),
]
