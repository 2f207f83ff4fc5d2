"""E-mail: the queue, its templates, and the way to Mailgun."""

from django.apps import AppConfig


class EmailsConfig(AppConfig):
    name = "emails"

    def ready(self) -> None:
        from emails import checks  # noqa: F401, PLC0415  (registers the start-up checks)
