"""The right to see the figures of the months, words for the nightly comparison, and the index behind the list of Checkouts."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_stripe_event_to_blank")]

    operations = [
        migrations.AlterModelOptions(
            name="payment", options={"permissions": [("view_figures", "Can see the figures of the months")]}
        ),
        migrations.AlterModelOptions(
            name="stripereconciliation",
            options={
                "verbose_name": "comparison with Stripe",
                "verbose_name_plural": "comparisons with Stripe",
            },
        ),
        migrations.AddIndex(model_name="checkout", index=models.Index(fields=["-created_at"], name="checkout_latest")),
    ]
