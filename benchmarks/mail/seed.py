"""Inside the product: no limit of ours, some stopped addresses, and what one mail looks like; printed as JSON."""

from __future__ import annotations

import json
import sys

from benchmarks.mail.shape import STOPPED, TEMPLATE
from emails import rendering, wording
from emails.models import EmailSuppression, EmailTemplate, SuppressionType
from settings_app.models import Setting


def main() -> None:
    Setting.objects.update_or_create(key="mail_rate_per_second", defaults={"value": "0"})
    EmailSuppression.objects.bulk_create(
        [
            EmailSuppression(email=f"stopped{number}@example.com", type=SuppressionType.BOUNCE)
            for number in range(STOPPED)
        ],
        ignore_conflicts=True,
    )
    words = wording.find(TEMPLATE)
    context = EmailTemplate.objects.get(name=TEMPLATE).variables or {}
    finished = rendering.render(words, context, site=rendering.site_values(), recipient_name="Margaret Hill")
    json.dump(
        {"context": context, "subject": finished.subject, "text": finished.text, "html": finished.html}, sys.stdout
    )
