from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from settings_app import crypto


class SettingsAppConfig(AppConfig):
    name = "settings_app"
    verbose_name = "Settings"

    def ready(self) -> None:
        try:
            crypto.keyring()
        except ValueError:
            raise ImproperlyConfigured(
                "The environment variable SETTINGS_KEYS holds a key that is not 32 bytes in URL-safe base64."
            ) from None
