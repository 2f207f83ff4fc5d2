import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Setting",
            fields=[
                ("key", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.TextField(blank=True, null=True)),
                ("encrypted", models.BooleanField(db_default=False, default=False)),
                (
                    "updated_at",
                    models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "settings",
            },
        ),
        migrations.CreateModel(
            name="RateLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ip_address", models.CharField(max_length=64)),
                ("endpoint", models.CharField(max_length=255)),
                ("attempts", models.IntegerField(db_default=1, default=1)),
                (
                    "window_start",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
                    ),
                ),
            ],
            options={
                "db_table": "rate_limits",
                "indexes": [models.Index(fields=["window_start"], name="rate_limit_window")],
                "constraints": [models.UniqueConstraint(fields=("ip_address", "endpoint"), name="rate_limit_one_row")],
            },
        ),
    ]
