"""Which row a staff action was about, so that its history can be shown."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="adminactionaudit",
            name="object_type",
            field=models.CharField(blank=True, db_default="", default="", help_text="Kind of row.", max_length=100),
        ),
        migrations.AddField(
            model_name="adminactionaudit",
            name="object_id",
            field=models.CharField(blank=True, db_default="", default="", help_text="Its key.", max_length=64),
        ),
        migrations.AddIndex(
            model_name="adminactionaudit",
            index=models.Index(fields=["object_type", "object_id"], name="admin_action_object"),
        ),
    ]
