from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_staff_words")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="email_problem",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="Why mail to the address is stopped, copied here so that each page can say so. Empty: it is not.",
                max_length=20,
            ),
        ),
    ]
