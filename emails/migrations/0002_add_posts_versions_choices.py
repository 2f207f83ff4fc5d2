"""Posts of Mailgun, earlier wordings, people's choices, and what a mail remembers of its wording."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("emails", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="EmailPreference",
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
                ("email", models.CharField(max_length=254)),
                ("wants_news", models.BooleanField(db_default=True, default=True)),
                ("wants_reminders", models.BooleanField(db_default=True, default=True)),
            ],
            options={
                "verbose_name": "mail choice",
                "db_table": "email_preferences",
            },
        ),
        migrations.CreateModel(
            name="EmailTemplateVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.IntegerField()),
                ("subject", models.CharField(max_length=255)),
                ("html_content", models.TextField()),
                ("text_content", models.TextField(blank=True, db_default="", default="")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        editable=False,
                    ),
                ),
            ],
            options={
                "verbose_name": "earlier wording",
                "db_table": "email_template_versions",
            },
        ),
        migrations.CreateModel(
            name="EmailWebhookPost",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", models.CharField(max_length=50, unique=True)),
                (
                    "body",
                    models.JSONField(blank=True, help_text="The event-data. Thrown away with old bodies.", null=True),
                ),
                ("event_type", models.CharField(blank=True, db_default="", default="", max_length=50)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("applied", "Applied"),
                            ("foreign", "Not our mail"),
                            ("useless", "Nothing to do"),
                            ("broken", "Could not be applied"),
                        ],
                        db_default="waiting",
                        default="waiting",
                        max_length=20,
                    ),
                ),
                ("attempt_count", models.IntegerField(db_default=0, default=0)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                (
                    "available_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        default=django.utils.timezone.now,
                        help_text="Not applied before.",
                    ),
                ),
                (
                    "received_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
                    ),
                ),
                ("applied_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "Mailgun post",
                "db_table": "email_webhook_posts",
            },
        ),
        migrations.AlterModelOptions(
            name="emaildeliveryevent",
            options={"verbose_name": "delivery event"},
        ),
        migrations.AlterModelOptions(
            name="emailsuppression",
            options={"verbose_name": "stopped address", "verbose_name_plural": "stopped addresses"},
        ),
        migrations.AddField(
            model_name="emailjob",
            name="purged_at",
            field=models.DateTimeField(blank=True, help_text="When its body was thrown away.", null=True),
        ),
        migrations.AddField(
            model_name="emailjob",
            name="template_version",
            field=models.IntegerField(blank=True, help_text="Of the wording it was sent with.", null=True),
        ),
        migrations.AddField(
            model_name="emailsuppression",
            name="is_at_mailgun",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name="emailtemplate",
            name="choice",
            field=models.CharField(
                blank=True,
                choices=[("", "Always sent"), ("news", "News"), ("reminders", "Reminders")],
                db_default="",
                default="",
                help_text="What a person says no to in order not to get it.",
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="emailtemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("choice__in", ["", "news", "reminders"])), name="email_template_choice_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="emailpreference",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("email"), name="email_preference_one_per_address"
            ),
        ),
        migrations.AddField(
            model_name="emailtemplateversion",
            name="edited_by",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty for wording that came with the product.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="emailtemplateversion",
            name="template",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="emails.emailtemplate"
            ),
        ),
        migrations.AddField(
            model_name="emailwebhookpost",
            name="email_job",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="webhook_posts",
                to="emails.emailjob",
            ),
        ),
        migrations.AddConstraint(
            model_name="emailtemplateversion",
            constraint=models.UniqueConstraint(fields=("template", "version"), name="email_template_version_once"),
        ),
        migrations.AddIndex(
            model_name="emailwebhookpost",
            index=models.Index(
                condition=models.Q(("state", "waiting")),
                fields=["available_at", "id"],
                name="email_webhook_post_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="emailwebhookpost",
            index=models.Index(fields=["received_at"], name="email_webhook_post_received"),
        ),
        migrations.AddConstraint(
            model_name="emailwebhookpost",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "applied", "foreign", "useless", "broken"])),
                name="email_webhook_post_state_known",
            ),
        ),
    ]
