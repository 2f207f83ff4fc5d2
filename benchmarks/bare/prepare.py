"""Fill the yardstick's own database, and print its sign-in cookies as JSON."""

from __future__ import annotations

import json
import sys

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import connection

from benchmarks.shape import HOT_SLOTS, PEOPLE, RAW_PEOPLE, SLOTS

FILL = """
INSERT INTO bare_plan (name, session_limit) VALUES ('Everything', 0);
INSERT INTO auth_user (username, email, password, first_name, last_name, is_active, is_staff, is_superuser, date_joined)
SELECT 'person' || n, 'person' || n || '@example.com', '!', '', '', true, false, false, now()
  FROM generate_series(1, %(people)s) AS n;
INSERT INTO bare_subscription (user_id, plan_id, status, period_start, period_end, booked_count, updated_at)
SELECT id, 1, 'active', now() - interval '10 days', now() + interval '20 days', 0, now() FROM auth_user;
INSERT INTO bare_event (id, title, start_time, end_time, capacity, booked_count, updated_at)
SELECT kind || n, 'Help with your phone', now() + interval '1 day' + n * interval '1 hour',
       now() + interval '1 day' + n * interval '1 hour' + interval '45 minutes', 1000000, 0, now()
  FROM generate_series(0, %(slots)s - 1) AS n, (VALUES ('mini'), ('raw')) AS kinds (kind);
INSERT INTO bare_event (id, title, start_time, end_time, capacity, booked_count, updated_at)
SELECT kind || n, 'Help with your phone', now() + interval '30 days' + n * interval '1 hour',
       now() + interval '30 days' + n * interval '1 hour' + interval '45 minutes',
       CASE kind WHEN 'minifull' THEN 0 ELSE 1000000 END, 0, now()
  FROM generate_series(0, %(hot)s - 1) AS n, (VALUES ('minihot'), ('rawhot'), ('minifull')) AS kinds (kind);
"""


def sign_in(count: int) -> list[str]:
    """Sessions for the first ``count`` people, as Django's log-in writes them; their keys."""
    store = SessionStore()
    model = SessionStore.get_model_class()
    rows = []
    for person in get_user_model().objects.order_by("pk")[:count]:
        store = SessionStore()
        store._session_key = store._get_new_session_key()  # type: ignore[attr-defined]
        rows.append(
            store.create_model_instance(
                {
                    SESSION_KEY: str(person.pk),
                    BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
                    HASH_SESSION_KEY: person.get_session_auth_hash(),
                }
            )
        )
    model.objects.bulk_create(rows)
    return [row.session_key for row in rows]


def main() -> None:
    call_command("migrate", interactive=False, verbosity=0)  # people first: our tables point to them
    call_command("migrate", run_syncdb=True, interactive=False, verbosity=0)
    with connection.cursor() as cursor:
        for statement in FILL.strip().rstrip(";").split(";"):
            cursor.execute(statement, {"people": RAW_PEOPLE, "slots": SLOTS, "hot": HOT_SLOTS})
        keys = sign_in(PEOPLE)
        cursor.execute("ANALYZE")
    json.dump({"cookie": settings.SESSION_COOKIE_NAME, "sessions": keys}, sys.stdout)
