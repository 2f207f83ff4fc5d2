"""Indexes for the nightly jobs, built beside the writers of the queue."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("emails", "0002_add_posts_versions_choices")]

    operations = [
        AddIndexConcurrently(
            model_name="emaildeliveryevent",
            index=models.Index(fields=["timestamp"], name="email_event_moment"),
        ),
        AddIndexConcurrently(
            model_name="emailjob",
            index=models.Index(
                condition=models.Q(("purged_at", None), models.Q(("status__in", ["queued", "sending"]), _negated=True)),
                fields=["created_at"],
                name="email_job_to_purge",
            ),
        ),
        AddIndexConcurrently(
            model_name="emailjob",
            index=models.Index(
                condition=models.Q(("status", "sent")), fields=["sent_at"], name="email_job_unconfirmed"
            ),
        ),
    ]
