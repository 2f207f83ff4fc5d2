"""The yardstick: the least Django project that does the same, on the same server and database."""
