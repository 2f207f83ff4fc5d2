"""Addresses of plans and payments, under /subscriptions/ and /billing/."""

from __future__ import annotations

from django.urls import path

from billing.views import changing, checkout, family, payments, plans

app_name = "billing"

urlpatterns = [
    path("subscriptions/", plans.plan_list, name="plan_list"),
    path("subscriptions/mine/", plans.my_plan, name="my_plan"),
    path("subscriptions/change/forget/", changing.plan_change_forget, name="plan_change_forget"),
    path("subscriptions/change/<str:plan_name>/", changing.plan_change, name="plan_change"),
    path("subscriptions/cancel/", changing.plan_cancel, name="plan_cancel"),
    path("subscriptions/keep/", changing.plan_keep, name="plan_keep"),
    path("subscriptions/family/", family.family_page, name="family"),
    path("subscriptions/family/invite/", family.family_invite, name="family_invite"),
    path("subscriptions/family/withdraw/<slug:invitation_id>/", family.family_withdraw, name="family_withdraw"),
    path("subscriptions/family/remove/<slug:member_id>/", family.family_remove, name="family_remove"),
    path("subscriptions/family/leave/", family.family_leave, name="family_leave"),
    path("subscriptions/family/join/", family.family_join, name="family_join"),
    path("billing/checkout/<str:plan_name>/", checkout.checkout, name="checkout"),
    path("billing/return/", checkout.checkout_return, name="checkout_return"),
    path("billing/portal/", payments.portal, name="portal"),
    path("billing/history/", payments.payment_list, name="payment_list"),
    path("billing/history/<slug:payment_id>/", payments.payment_detail, name="payment_detail"),
    path("billing/history/<slug:payment_id>/invoice/", payments.payment_invoice, name="payment_invoice"),
]
