"""What staff call these tables. Changes no column."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_ledger_append_only")]

    operations = [
        migrations.AlterModelOptions(
            name="visituse", options={"verbose_name": "session used", "verbose_name_plural": "sessions used"}
        ),
        migrations.AlterModelOptions(
            name="giftcardtransaction",
            options={
                "verbose_name": "line of the gift-card ledger",
                "verbose_name_plural": "gift-card ledger",
            },
        ),
    ]
