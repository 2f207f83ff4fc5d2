"""The gift-card ledger is only ever added to: triggers refuse UPDATE and DELETE, whoever asks."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER gift_card_transactions_append_only BEFORE UPDATE OR DELETE ON gift_card_transactions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

BACKWARD = "DROP TRIGGER gift_card_transactions_append_only ON gift_card_transactions;"


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("audit", "0003_append_only")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
