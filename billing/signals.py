"""Facts billing announces to the apps above it, inside the sender's transaction."""

from django.dispatch import Signal

# A plan gives nothing any more. Keyword arguments: subscription (UserSubscription).
subscription_ended = Signal()
