"""What changes people, their devices and the proofs mailed to them."""

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
    "change_password",
    "confirm_email_change",
    "end_all_sessions",
    "end_session",
    "forget_expired",
    "log_in",
    "note_log_out",
    "request_email_change",
    "request_reset",
    "resend",
    "reset_link_owner",
    "reset_password",
    "sign_up",
    "tell_of_new_device",
    "undo_email_change",
    "update_profile",
    "verify_by_code",
    "verify_by_link",
]
