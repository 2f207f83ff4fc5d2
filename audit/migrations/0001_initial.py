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
            name="AdminActionAudit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("action", models.CharField(max_length=100)),
                (
                    "target_user_id",
                    models.IntegerField(blank=True, help_text="No key: outlives its person.", null=True),
                ),
                ("target_email", models.CharField(blank=True, max_length=254, null=True)),
                ("details", models.JSONField(blank=True, null=True)),
                ("ip_address", models.CharField(blank=True, max_length=64, null=True)),
                ("user_agent", models.TextField(blank=True, null=True)),
                ("success", models.BooleanField(db_default=True, default=True)),
                ("error_message", models.TextField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "admin",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="admin_actions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "staff action",
                "db_table": "admin_action_audits",
                "indexes": [
                    models.Index(fields=["-created_at"], name="admin_action_newest"),
                    models.Index(fields=["target_user_id"], name="admin_action_target"),
                ],
            },
        ),
        migrations.CreateModel(
            name="PasswordChangeAudit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "change_type",
                    models.CharField(
                        choices=[
                            ("self_change", "By the person"),
                            ("admin_force_change", "Staff asked for a new one"),
                            ("admin_reset", "Staff sent a reset link"),
                        ],
                        max_length=20,
                    ),
                ),
                ("ip_address", models.CharField(blank=True, max_length=64, null=True)),
                ("user_agent", models.TextField(blank=True, null=True)),
                ("success", models.BooleanField(db_default=True, default=True)),
                ("error_message", models.TextField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        db_column="changed_by",
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="password_changes_made",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="password_changes",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "password change",
                "db_table": "password_change_audits",
                "indexes": [models.Index(fields=["-created_at"], name="password_change_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("change_type__in", ["self_change", "admin_force_change", "admin_reset"])),
                        name="password_change_type_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SecurityEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=60)),
                ("details", models.JSONField(blank=True, null=True)),
                ("ip_address", models.CharField(blank=True, max_length=64, null=True)),
                ("user_agent", models.TextField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="security_events",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "security_events",
                "indexes": [
                    models.Index(fields=["-created_at"], name="security_event_newest"),
                    models.Index(fields=["kind", "-created_at"], name="security_event_kind"),
                ],
            },
        ),
    ]
