"""The pages of accounts."""

from accounts.views.account import (
    profile,
    profile_name,
    profile_phone,
    profile_time_zone,
    session_end,
    session_end_all,
    session_list,
)
from accounts.views.addresses import email_change, email_change_confirm, email_change_undo
from accounts.views.entry import login, logout, signup, verify, verify_send
from accounts.views.leaving import delete, delete_done, delete_keep, delete_undo
from accounts.views.passwords import (
    password_change,
    password_reset,
    password_reset_confirm,
    password_reset_sent,
)

__all__ = [
    "delete",
    "delete_done",
    "delete_keep",
    "delete_undo",
    "email_change",
    "email_change_confirm",
    "email_change_undo",
    "login",
    "logout",
    "password_change",
    "password_reset",
    "password_reset_confirm",
    "password_reset_sent",
    "profile",
    "profile_name",
    "profile_phone",
    "profile_time_zone",
    "session_end",
    "session_end_all",
    "session_list",
    "signup",
    "verify",
    "verify_send",
]
