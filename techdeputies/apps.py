"""The project as an app (its templates tags, commands and tests), and the admin as this product runs it."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class TechDeputiesConfig(AppConfig):
    name = "techdeputies"


class AdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "techdeputies.admin_site.AdminSite"
