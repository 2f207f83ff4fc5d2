import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_add_email_problem")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="deletion_asked_at",
            field=models.DateTimeField(blank=True, help_text="When the person asked for it.", null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="deletion_delayed_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Since when the deletion waits for somebody we cannot reach.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True), ("deletion_asked_at__isnull", False)),
                fields=["deletion_asked_at"],
                name="user_leaving",
            ),
        ),
        migrations.CreateModel(
            name="DeletionUndoLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", models.CharField(max_length=64, unique=True)),
                ("expires_at", models.DateTimeField(help_text="When the personal data is erased.")),
                ("used_at", models.DateTimeField(blank=True, null=True)),
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deletion_undo_links",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "link to keep an account",
                "verbose_name_plural": "links to keep an account",
                "db_table": "deletion_undo_links",
            },
        ),
    ]
