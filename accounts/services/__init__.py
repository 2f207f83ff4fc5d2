"""What changes people, their devices and the proofs mailed to them."""

from accounts.services.deletion import (
    ask_deletion,
    finish_deletion,
    keep_account,
    note_deletion_delay,
    restore_account,
    undo_link_owner,
)
from accounts.services.devices import end_all_sessions, end_session, tell_of_new_device
from accounts.services.email_change import confirm_email_change, request_email_change, undo_email_change
from accounts.services.expiry import forget_expired
from accounts.services.login import Device, log_in, note_log_out
from accounts.services.passwords import change_password, request_reset, reset_link_owner, reset_password
from accounts.services.profile import update_profile
from accounts.services.signup import Proven, resend, sign_up, verify_by_code, verify_by_link

__all__ = [
    "Device",
    "Proven",
    "ask_deletion",
    "change_password",
    "confirm_email_change",
    "end_all_sessions",
    "end_session",
    "finish_deletion",
    "forget_expired",
    "keep_account",
    "log_in",
    "note_deletion_delay",
    "note_log_out",
    "request_email_change",
    "request_reset",
    "resend",
    "reset_link_owner",
    "reset_password",
    "restore_account",
    "sign_up",
    "tell_of_new_device",
    "undo_email_change",
    "undo_link_owner",
    "update_profile",
    "verify_by_code",
    "verify_by_link",
]
