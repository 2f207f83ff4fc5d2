"""The entry point for gunicorn: ``techdeputies.wsgi:application``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techdeputies.settings")

application = get_wsgi_application()
