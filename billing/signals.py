"""Facts billing announces to the apps above it, inside the sender's transaction."""

from django.dispatch import Signal

# A plan gives nothing any more. Keyword arguments: subscription (UserSubscription).
subscription_ended = Signal()

# A payment arrived. Keyword arguments: payment (Payment).
payment_completed = Signal()

# Somebody shares a plan no more, while it goes on. Keyword arguments: member (FamilyMember).
family_member_left = Signal()

# The days of grace after a failed payment are over; a payment may bring the plan back. Keyword arguments: subscription.
plan_lapsed = Signal()
