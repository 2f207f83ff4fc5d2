"""The pages of plans and money, by subject."""
