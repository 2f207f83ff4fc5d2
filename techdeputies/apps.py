"""The project as an app (its templates tags, commands and tests), and the admin as this product runs it."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django_structlog.signals import bind_extra_request_metadata

from techdeputies.logs import bind_client_address


class TechDeputiesConfig(AppConfig):
    name = "techdeputies"

    def ready(self) -> None:
        bind_extra_request_metadata.connect(bind_client_address, dispatch_uid="client_address")


class AdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "techdeputies.admin_site.AdminSite"
