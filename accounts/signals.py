"""The facts this app announces to the apps above it."""

from __future__ import annotations

from django.dispatch import Signal

# A person's account was deleted or closed by staff. Sent inside the transaction that did it.
# Keyword arguments: user (the row, with deleted_at set), actor (audit.actors.Actor)
user_deactivated = Signal()
