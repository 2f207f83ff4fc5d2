"""Indexes by which the nightly retention finds what is left to blank, and nothing else."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("emails", "0003_index_purge_and_look_ups")]

    operations = [
        AddIndexConcurrently(
            model_name="emaildeliveryevent",
            index=models.Index(
                condition=models.Q(
                    ("data__isnull", False),
                    ("ip_address__isnull", False),
                    ("user_agent__isnull", False),
                    _connector="OR",
                ),
                fields=["timestamp"],
                name="email_event_to_blank",
            ),
        ),
        AddIndexConcurrently(
            model_name="emailwebhookpost",
            index=models.Index(
                condition=models.Q(("body__isnull", False), models.Q(("state", "waiting"), _negated=True)),
                fields=["received_at"],
                name="email_webhook_post_to_blank",
            ),
        ),
    ]
