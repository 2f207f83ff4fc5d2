from django.apps import AppConfig
from django.utils.module_loading import import_string


class BookingConfig(AppConfig):
    name = "booking"

    def ready(self) -> None:
        import_string("booking.receivers.plan_ended")
