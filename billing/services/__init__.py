"""What billing can do, by subject: ``subscriptions`` for plans and their allowance."""
