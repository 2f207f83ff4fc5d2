"""Staff screens of mail: the queue, the wording, stopped addresses, and what Mailgun said."""

from emails.admin import events, jobs, suppressions, templates

__all__ = ["events", "jobs", "suppressions", "templates"]
