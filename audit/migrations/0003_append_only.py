"""Audit rows are only ever added: triggers refuse UPDATE and DELETE, whoever asks.

The one UPDATE let through is the retention job's: it sets address, browser and mail address to NULL and
leaves every other column as it is. TRUNCATE is not covered; it is not granted to the production role.
"""

from django.db import migrations

TABLES = ("password_change_audits", "admin_action_audits", "security_events")

FORWARD = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Rows of % are only ever added.', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION refuse_change_but_blanking() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept CONSTANT text[] := ARRAY['ip_address', 'user_agent', 'target_email'];
    old_row jsonb := to_jsonb(OLD);
    new_row jsonb := to_jsonb(NEW);
    field text;
BEGIN
    IF (new_row - kept) IS DISTINCT FROM (old_row - kept) THEN
        RAISE EXCEPTION 'Rows of % are only ever added.', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    FOREACH field IN ARRAY kept LOOP
        IF new_row -> field IS DISTINCT FROM old_row -> field AND new_row ->> field IS NOT NULL THEN
            RAISE EXCEPTION 'Rows of % are only ever added; % may only be blanked.', TG_TABLE_NAME, field
                USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;
"""

BACKWARD = "DROP FUNCTION refuse_change_but_blanking(); DROP FUNCTION refuse_change();"


def _triggers(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER {table}_append_only_update BEFORE UPDATE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_change_but_blanking();
        CREATE TRIGGER {table}_append_only_delete BEFORE DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_change();
        """,
        f"""
        DROP TRIGGER {table}_append_only_update ON {table};
        DROP TRIGGER {table}_append_only_delete ON {table};
        """,
    )


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_admin_action_object")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD), *[_triggers(table) for table in TABLES]]
