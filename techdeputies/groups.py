"""The three groups of staff, with no more rights than their work needs.

An owner decides; a deputy holds sessions and sees no money; support answers people. Rights are named ``app.action_model``.
"""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db import transaction

OWNER, DEPUTY, SUPPORT = "Owner", "Deputy", "Support"

_READ_BY_ALL = (
    "accounts.view_user",
    "billing.view_plan",
    "billing.view_usersubscription",
    "billing.view_visituse",
    "booking.view_booking",
    "booking.view_calendarevent",
    "courses.view_coursepurchase",
    "support.view_ticket",
    "support.view_ticketcomment",
)

_MONEY = (
    "billing.view_checkout",
    "billing.view_dispute",
    "billing.view_familyinvitation",
    "billing.view_familymember",
    "billing.view_payment",
    "billing.view_planchange",
    "billing.view_refund",
)

RIGHTS: dict[str, tuple[str, ...]] = {
    OWNER: (
        *_READ_BY_ALL,
        "accounts.add_user",
        "accounts.change_user",
        "accounts.view_session",
        "accounts.delete_session",
        "accounts.view_emailchange",
        "accounts.view_passwordresettoken",
        "accounts.view_emailverificationtoken",
        "audit.view_adminactionaudit",
        "audit.view_passwordchangeaudit",
        "audit.view_securityevent",
        "auth.add_group",
        "auth.change_group",
        "auth.view_group",
        "billing.add_refund",
        "billing.add_usersubscription",
        "billing.change_familyinvitation",
        "billing.change_familymember",
        "billing.change_plan",
        "billing.change_staffalert",
        "billing.change_stripeevent",
        *_MONEY,
        "billing.view_figures",
        "billing.view_planprice",
        "billing.view_staffalert",
        "billing.view_stripeevent",
        "billing.view_stripereconciliation",
        "billing.view_giftcard",
        "billing.view_giftcardtransaction",
        "booking.add_booking",
        "booking.change_booking",
        "booking.add_calendarevent",
        "booking.change_calendarevent",
        "booking.delete_calendarevent",
        "emails.view_emailjob",
        "emails.change_emailjob",
        "emails.view_emaildeliveryevent",
        "emails.view_emailwebhookpost",
        "emails.change_emailwebhookpost",
        "emails.view_emailtemplate",
        "emails.view_emailtemplateversion",
        "emails.change_emailtemplate",
        "emails.view_emailsuppression",
        "emails.add_emailsuppression",
        "emails.delete_emailsuppression",
        "emails.view_emailpreference",
        "settings_app.view_setting",
        "settings_app.change_setting",
        "settings_app.view_ratelimit",
        "settings_app.delete_ratelimit",
        "support.change_ticket",
    ),
    DEPUTY: (
        *_READ_BY_ALL,
        "booking.add_booking",
        "booking.change_booking",
        "booking.add_calendarevent",
        "booking.change_calendarevent",
        "booking.delete_calendarevent",
        "support.change_ticket",
    ),
    SUPPORT: (
        *_READ_BY_ALL,
        "accounts.add_user",
        "accounts.change_user",
        "accounts.view_session",
        "accounts.delete_session",
        "billing.change_familyinvitation",
        "billing.change_familymember",
        *_MONEY,
        "billing.view_giftcard",
        "billing.view_giftcardtransaction",
        "booking.add_booking",
        "booking.change_booking",
        "emails.view_emailjob",
        "emails.change_emailjob",
        "emails.view_emailsuppression",
        "emails.add_emailsuppression",
        "emails.delete_emailsuppression",
        "emails.view_emailpreference",
        "settings_app.view_ratelimit",
        "settings_app.delete_ratelimit",
        "support.change_ticket",
    ),
}


@transaction.atomic
def make_groups() -> list[str]:
    """Make the groups that are missing and give each its rights once. What owners changed since is kept."""
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    made = []
    for name, rights in RIGHTS.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set([known[right] for right in rights])
            made.append(name)
    return made
