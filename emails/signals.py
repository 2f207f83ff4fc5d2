"""The facts this app announces to the apps above it."""

from __future__ import annotations

from django.dispatch import Signal

# Mail to an address is stopped, or stopped for a stronger cause. Sent inside the transaction that did it.
# Keyword arguments: email (lower case), type (SuppressionType, the strongest cause by now)
address_stopped = Signal()

# An address may be written to again. Sent inside the transaction that did it.
# Keyword arguments: email (lower case), type (SuppressionType, the cause that is gone)
address_cleared = Signal()
