"""Coming in: the pages of signing up, proving the address, signing in and out."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Session
from accounts.tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def test_signing_in_opens_a_session_and_leads_where_the_person_was_going(client: Client) -> None:
    user = make_user()

    answer = client.post(reverse("accounts:login"), {"email": user.email, "password": PASSWORD, "next": "/booking/"})

    assert answer.status_code == 302
    assert answer["Location"] == "/booking/"
    assert Session.objects.get().user == user
