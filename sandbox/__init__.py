"""One command for a whole running copy: embedded servers, stand-ins, and the supervisor that keeps them.

For trying, developing and testing only; production brings its own PostgreSQL and Valkey.
"""
