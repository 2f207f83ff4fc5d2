"""What staff call these tables. Changes no column."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_add_sign_up_browser")]

    operations = [
        migrations.AlterModelOptions(name="session", options={"verbose_name": "device"}),
        migrations.AlterModelOptions(name="passwordresettoken", options={"verbose_name": "reset link"}),
        migrations.AlterModelOptions(name="emailverificationtoken", options={"verbose_name": "verification mail"}),
        migrations.AlterModelOptions(
            name="emailchange",
            options={
                "verbose_name": "change of mail address",
                "verbose_name_plural": "changes of mail address",
            },
        ),
    ]
