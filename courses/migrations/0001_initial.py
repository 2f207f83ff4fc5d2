import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CoursePurchase",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("course_slug", models.CharField(max_length=100)),
                ("amount_paid", models.IntegerField(help_text="US cents.")),
                ("gift_card_code", models.CharField(blank=True, max_length=64, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("refunded", "Refunded"), ("expired", "Ended")],
                        db_default="active",
                        default="active",
                        max_length=20,
                    ),
                ),
                (
                    "purchased_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="course_purchases",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "course_purchases",
                "constraints": [
                    models.UniqueConstraint(fields=("user", "course_slug"), name="course_purchase_once"),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["active", "refunded", "expired"])),
                        name="course_purchase_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_paid__gte", 0)), name="course_purchase_amount_not_negative"
                    ),
                ],
            },
        ),
    ]
