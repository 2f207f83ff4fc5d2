"""The facts this app announces to the apps above it."""

from __future__ import annotations

from django.dispatch import Signal

# A person's account was deleted or closed by staff. Sent inside the transaction that did it.
# Keyword arguments: user (the row, with deleted_at set), actor (audit.actors.Actor)
user_deactivated = Signal()

# A person asked for their account to be deleted. Sent inside the transaction that wrote the wish down.
# A receiver that has something to end outside first answers True, and calls accounts.services.finish_deletion
# when that is done; where nobody does, the account is closed in the same transaction.
# Keyword arguments: user (the row, with deletion_asked_at set), actor (audit.actors.Actor)
deletion_asked = Signal()
