"""A rising number for each look at Stripe, so that an older look never overwrites what a newer one found."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_plans_through_stripe")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE stripe_reads AS bigint", reverse_sql="DROP SEQUENCE stripe_reads"),
    ]
