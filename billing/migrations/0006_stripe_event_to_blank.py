"""The events whose payload is still to be thrown away, found without reading the rest."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_stripe_reads")]

    operations = [
        migrations.AddIndex(
            model_name="stripeevent",
            index=models.Index(
                condition=models.Q(("payload__isnull", False), models.Q(("state", "waiting"), _negated=True)),
                fields=["received_at"],
                name="stripe_event_to_blank",
            ),
        ),
    ]
