"""What the tests of this app share: the last mail, an old hash, many threads at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import bcrypt
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import PASSWORD
from audit.actors import Actor
from emails.models import EmailJob
from emails.rendering import secrets_purpose
from settings_app import crypto

ACTOR = Actor(ip_address="203.0.113.7", user_agent="Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36")


def old_hash(password: str, cost: int = 4) -> str:
    """What the importer keeps of a hash that bcryptjs wrote, which read 72 bytes."""
    return "bcrypt$" + bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


def mails(template: str) -> list[dict[str, Any]]:
    """What the queued mails of that kind will say, oldest first: context, secrets and ``to``."""
    found = []
    for job in EmailJob.objects.filter(template_type=template).order_by("pk"):
        values = {**job.content["context"], "to": job.recipient_email, "priority": job.priority, "job": job}
        if "secrets" in job.content:
            purpose = secrets_purpose(job.template_type, str(job.occasion))
            values.update(json.loads(crypto.decrypt(job.content["secrets"], purpose=purpose)))
        found.append(values)
    return found


def last_mail(template: str) -> dict[str, Any]:
    return mails(template)[-1]


def secret_in(mail: dict[str, Any]) -> str:
    """The raw value in a mailed link."""
    return str(mail["button_url"]).partition("?token=")[2]


def path_of(mail: dict[str, Any]) -> str:
    """A mailed link as the test client wants it."""
    parts = urlsplit(mail["button_url"])
    return f"{parts.path}?{parts.query}"


def sign_in(client: Client, user: User, password: str = PASSWORD, **headers: Any) -> Any:
    return client.post(reverse("accounts:login"), {"email": user.email, "password": password}, **headers)


def is_signed_in(client: Client) -> bool:
    return bool(client.get(reverse("accounts:profile")).status_code == 200)


def race(act: Callable[[Any], Any], people: Iterable[Any]) -> list[Any]:
    """Run ``act`` for each at the same moment, each on a connection of its own; results and errors alike."""
    crowd = list(people)
    gate = Barrier(len(crowd))

    def run(one: Any) -> Any:
        try:
            gate.wait(timeout=20)
            return act(one)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=len(crowd)) as pool:
        return list(pool.map(run, crowd))
