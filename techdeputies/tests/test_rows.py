from __future__ import annotations

import pytest
from django.db import connection
from django.forms.models import model_to_dict

from booking.models import CalendarEvent
from booking.tests.factories import make_event
from techdeputies.lib import rows


@pytest.mark.django_db
def test_a_row_from_sql_of_our_own_is_what_a_queryset_gives() -> None:
    event = make_event(title="Photos")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {rows.columns(CalendarEvent, 'e')} FROM calendar_events e WHERE e.id = %s", [event.pk])
        values = cursor.fetchone()

    found = rows.instance(CalendarEvent, values)
    wanted = CalendarEvent.objects.get(pk=event.pk)

    assert len(values) == rows.width(CalendarEvent)
    assert (found, model_to_dict(found)) == (wanted, model_to_dict(wanted))
    assert (found.created_at, found._state.adding, found._state.db) == (wanted.created_at, False, "default")
