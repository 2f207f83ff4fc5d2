import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="EmailJob",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now()),
                ),
                ("message_id", models.CharField(blank=True, max_length=255, null=True, unique=True)),
                ("template_type", models.CharField(max_length=100)),
                ("occasion", models.CharField(blank=True, max_length=200, null=True)),
                (
                    "stream",
                    models.CharField(
                        choices=[("security", "Security"), ("service", "Service"), ("news", "News")],
                        db_default="service",
                        default="service",
                        max_length=20,
                    ),
                ),
                ("recipient_email", models.CharField(max_length=254)),
                ("recipient_name", models.CharField(blank=True, max_length=255, null=True)),
                ("subject", models.CharField(max_length=255)),
                ("content", models.JSONField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Waiting"),
                            ("sending", "Being sent"),
                            ("sent", "Sent"),
                            ("delivered", "Delivered"),
                            ("opened", "Opened"),
                            ("clicked", "Link pressed"),
                            ("bounced", "Came back"),
                            ("complained", "Marked as spam"),
                            ("failed", "Not sent"),
                            ("cancelled", "Cancelled"),
                        ],
                        db_default="queued",
                        default="queued",
                        max_length=20,
                    ),
                ),
                (
                    "priority",
                    models.CharField(
                        choices=[("low", "Low"), ("normal", "Normal"), ("high", "High"), ("critical", "Critical")],
                        db_default="normal",
                        default="normal",
                        max_length=20,
                    ),
                ),
                ("scheduled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "available_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        help_text="Not before: the wish, or the next try.",
                    ),
                ),
                (
                    "expires_at",
                    models.DateTimeField(blank=True, help_text="After this it is worth nothing.", null=True),
                ),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("lease_token", models.UUIDField(blank=True, null=True)),
                ("last_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("delivered_at", models.DateTimeField(blank=True, null=True)),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("clicked_at", models.DateTimeField(blank=True, null=True)),
                ("bounced_at", models.DateTimeField(blank=True, null=True)),
                ("complained_at", models.DateTimeField(blank=True, null=True)),
                ("bounce_reason", models.TextField(blank=True, null=True)),
                ("complaint_type", models.CharField(blank=True, max_length=100, null=True)),
                ("retry_count", models.IntegerField(db_default=0, default=0)),
                ("max_retries", models.IntegerField(db_default=3, default=3)),
                ("last_error", models.TextField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "mail",
                "db_table": "email_jobs",
                "indexes": [
                    models.Index(
                        models.Case(
                            models.When(priority="critical", then=models.Value(0)),
                            models.When(priority="high", then=models.Value(1)),
                            models.When(priority="normal", then=models.Value(2)),
                            default=models.Value(3),
                            output_field=models.SmallIntegerField(),
                        ),
                        models.F("available_at"),
                        models.F("id"),
                        condition=models.Q(("status", "queued")),
                        name="email_job_claim",
                    ),
                    models.Index(
                        condition=models.Q(("status", "queued")), fields=["available_at", "id"], name="email_job_oldest"
                    ),
                    models.Index(
                        condition=models.Q(("status", "sending")), fields=["lease_until"], name="email_job_lease"
                    ),
                    models.Index(fields=["created_at", "status"], name="email_job_report"),
                    models.Index(fields=["status", "-created_at"], name="email_job_by_status"),
                    models.Index(django.db.models.functions.text.Lower("recipient_email"), name="email_job_recipient"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("template_type", "occasion"), name="email_job_once_per_occasion"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "queued",
                                    "sending",
                                    "sent",
                                    "delivered",
                                    "opened",
                                    "clicked",
                                    "bounced",
                                    "complained",
                                    "failed",
                                    "cancelled",
                                ],
                            )
                        ),
                        name="email_job_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("priority__in", ["low", "normal", "high", "critical"])),
                        name="email_job_priority_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("stream__in", ["security", "service", "news"])),
                        name="email_job_stream_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EmailDeliveryEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event_type", models.CharField(max_length=50)),
                ("provider_key", models.CharField(blank=True, max_length=200, null=True, unique=True)),
                (
                    "timestamp",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
                    ),
                ),
                ("data", models.JSONField(blank=True, null=True)),
                ("ip_address", models.CharField(blank=True, max_length=64, null=True)),
                ("user_agent", models.TextField(blank=True, null=True)),
                (
                    "email_job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="delivery_events",
                        to="emails.emailjob",
                    ),
                ),
            ],
            options={
                "db_table": "email_delivery_events",
            },
        ),
        migrations.CreateModel(
            name="EmailSuppression",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.CharField(max_length=254, unique=True)),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("bounce", "Mail came back"),
                            ("complaint", "Marked as spam"),
                            ("unsubscribe", "Wants no news"),
                            ("manual", "Stopped by staff"),
                        ],
                        max_length=20,
                    ),
                ),
                ("reason", models.TextField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "email_suppressions",
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"), name="email_suppression_one_per_address"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("type__in", ["bounce", "complaint", "unsubscribe", "manual"])),
                        name="email_suppression_type_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EmailTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now()),
                ),
                ("name", models.CharField(max_length=255, unique=True)),
                ("description", models.TextField(blank=True, db_default="", default="")),
                ("subject", models.CharField(max_length=255)),
                ("html_content", models.TextField()),
                ("text_content", models.TextField(blank=True, null=True)),
                ("variables", models.JSONField(blank=True, help_text="Name to sample value.", null=True)),
                (
                    "stream",
                    models.CharField(
                        choices=[("security", "Security"), ("service", "Service"), ("news", "News")],
                        db_default="service",
                        default="service",
                        max_length=20,
                    ),
                ),
                (
                    "priority",
                    models.CharField(
                        choices=[("low", "Low"), ("normal", "Normal"), ("high", "High"), ("critical", "Critical")],
                        db_default="normal",
                        default="normal",
                        max_length=20,
                    ),
                ),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("version", models.IntegerField(db_default=1, default=1)),
                (
                    "seed_digest",
                    models.CharField(
                        blank=True, db_default="", default="", help_text="Of the files last taken in.", max_length=64
                    ),
                ),
            ],
            options={
                "verbose_name": "mail template",
                "db_table": "email_templates",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("stream__in", ["security", "service", "news"])),
                        name="email_template_stream_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("priority__in", ["low", "normal", "high", "critical"])),
                        name="email_template_priority_known",
                    ),
                ],
            },
        ),
    ]
