"""The product in a real browser: whole journeys, and what holds on every page."""
