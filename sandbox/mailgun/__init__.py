"""An offline stand-in for Mailgun: its routes, its keys, its answers, and a mailbox page to read the mail.

By hand: ``python -m sandbox.mailgun --port 8025 --data-dir .local/mailgun``. In a test::

    with StandIn() as mailgun:
        ...  # send to mailgun.url
        assert mailgun.last(to="grace@example.net").subject == "Your session is booked"
"""

from __future__ import annotations

from sandbox.mailgun import faults
from sandbox.mailgun.config import Config
from sandbox.mailgun.faults import Fault
from sandbox.mailgun.mail import Attachment, Mail
from sandbox.mailgun.standin import Call, StandIn

__all__ = ["Attachment", "Call", "Config", "Fault", "Mail", "StandIn", "faults"]
