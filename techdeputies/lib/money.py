"""Whole US cents to words."""


def money(cents: int) -> str:
    """For a sentence: ``$99``, or ``$99.50`` where cents matter."""
    sign = "-" if cents < 0 else ""
    dollars, rest = divmod(abs(cents), 100)
    return f"{sign}${dollars:,}.{rest:02d}" if rest else f"{sign}${dollars:,}"


def money_list(cents: int) -> str:
    """For a list or a receipt, where sums stand under one another: ``$99.00``."""
    sign = "-" if cents < 0 else ""
    dollars, rest = divmod(abs(cents), 100)
    return f"{sign}${dollars:,}.{rest:02d}"
