from django.apps import AppConfig
from django.utils.module_loading import import_string


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        import_string("billing.checks.stripe_settings")
        import_string("billing.receivers.sharing_ended")
