"""What happens here when something ends below."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services as accounts
from accounts.tests.factories import PASSWORD
from audit.actors import Actor
from billing.tests.factories import make_subscriber
from booking import services
from booking.models import BookingStatus
from booking.tests.factories import make_booking, make_event
from emails.models import EmailJob

pytestmark = pytest.mark.django_db


def test_who_deletes_their_account_gives_up_coming_sessions_and_is_not_written_to_about_them() -> None:
    user, event = make_subscriber(), make_event()
    coming = services.book_event(user=user, event=event)
    unpaid = make_booking(user=user)
    past = make_booking(user=user, event=make_event(start_time=timezone.now() - timedelta(days=1)))
    someone_else = make_booking(event=event)

    accounts.ask_deletion(user=user, password=PASSWORD, actor=Actor())

    for row in (coming, unpaid, past, someone_else):
        row.refresh_from_db()
    assert [row.status for row in (coming, unpaid)] == [BookingStatus.CANCELLED] * 2
    assert [row.status for row in (past, someone_else)] == [BookingStatus.CONFIRMED] * 2
    event.refresh_from_db()
    assert event.booked_count == 1
    waiting = EmailJob.objects.queued().filter(recipient_email=user.email)
    assert [job.template_type for job in waiting] == ["account_deletion_asked"]
