"""One settings file for every environment: they differ in values, not in code.

Each variable of the environment is read once, here, through ``lib/env.py``; the README lists them.
"""

from __future__ import annotations

import logging
from pathlib import Path

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from techdeputies.errors import report_to
from techdeputies.lib import env
from techdeputies.logs import LOGGING as LOGGING

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / ".local"))).resolve()

DEBUG = env.flag("DEBUG")
if DEBUG:
    env.load_local(DATA_DIR)

# --- Addresses and keys -------------------------------------------------------------------------------
SECRET_KEY = env.text("SECRET_KEY", "development-only-" + "0" * 40 if DEBUG else None)
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", "")
SETTINGS_KEYS = env.words("SETTINGS_KEYS", "ZGV2ZWxvcG1lbnQtb25seS1rZXktMDAwMDAwMDAwMDA=" if DEBUG else None)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]" if DEBUG else None)
if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured("The environment variable ALLOWED_HOSTS must name the hosts; * lets in any.")
SITE_URL = env.address(
    "SITE_URL", "http://127.0.0.1:8000" if DEBUG else None, schemes=("http", "https") if DEBUG else ("https",)
)
TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXY_COUNT", 0 if DEBUG else 1)
REDIS_URL = env.address(
    "REDIS_URL",
    "redis://127.0.0.1:6379/0" if DEBUG else None,
    schemes=("redis", "rediss", "redis+socket", "unix"),
)
SENTRY_DSN = env.text("SENTRY_DSN", "")

# --- Applications -------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "techdeputies.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "anymail",
    "csp",
    "django_htmx",
    "django_structlog",
    "techdeputies",
    "audit",
    "settings_app",
    "emails",
    "accounts",
    "billing",
    "courses",
    "booking",
    "support",
]

MIDDLEWARE = [
    "techdeputies.middleware.SecurityHeadersMiddleware",
    "techdeputies.health.HealthMiddleware",
    "techdeputies.middleware.DatabaseDownMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "accounts.session_store.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "accounts.middleware.MustChangePasswordMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "techdeputies.urls"
WSGI_APPLICATION = "techdeputies.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "techdeputies.context_processors.site",
            ],
            "libraries": {"words": "techdeputies.lib.template_tags"},
        },
    },
]

# --- Database and cache -------------------------------------------------------------------------------
DATABASES = {
    "default": {
        **env.database(),
        # No pool: eight threads are eight connections, kept and checked (performance notes, §1).
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://"),
        "KEY_PREFIX": "td",
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            # A dead cache must not take sign-in with it.
            "IGNORE_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": 0.2,
            "SOCKET_TIMEOUT": 0.5,
        },
    }
}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = False
RATELIMIT_FAIL_OPEN = True
RATELIMIT_IP_META_KEY = "techdeputies.lib.http.client_ip"

# --- People -------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.EmailBackend"]
PASSWORD_HASHERS = ["accounts.hashers.Argon2Hasher", "accounts.hashers.LegacyBcryptHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.validators.NotAboutYouValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "home"
PASSWORD_RESET_TIMEOUT = 3600

SESSION_ENGINE = "accounts.session_store"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "techdeputies.views.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
if not DEBUG:
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG

# --- Stripe -------------------------------------------------------------------------------------------
STRIPE = "https://api.stripe.com"
STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY", "sk_test_stand_in" if DEBUG else None)
STRIPE_PUBLISHABLE_KEY = env.text("STRIPE_PUBLISHABLE_KEY", "pk_test_stand_in" if DEBUG else None)
STRIPE_WEBHOOK_SECRETS = env.words("STRIPE_WEBHOOK_SECRETS", "whsec_stand_in" if DEBUG else None)
STRIPE_API_BASE = env.address("STRIPE_API_BASE", STRIPE)
if STRIPE_API_BASE != STRIPE and not DEBUG:
    raise ImproperlyConfigured("The environment variable STRIPE_API_BASE names a stand-in, which needs DEBUG.")
if STRIPE_API_BASE != STRIPE and "_live_" in STRIPE_SECRET_KEY:
    raise ImproperlyConfigured(
        "The environment variable STRIPE_API_BASE must not be set with a live STRIPE_SECRET_KEY."
    )
# The pages a person may be sent to, for redirects and for forms.
STRIPE_HOSTED_ORIGINS = (
    ("https://checkout.stripe.com", "https://billing.stripe.com", "https://invoice.stripe.com")
    if STRIPE_API_BASE == STRIPE
    else (STRIPE_API_BASE,)
)

# --- Security headers ---------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = not DEBUG
SECURE_HSTS_SECONDS = 0 if DEBUG else 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF, *STRIPE_HOSTED_ORIGINS],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000

# --- Words, time, files -------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = DEBUG

# --- E-mail -------------------------------------------------------------------------------------------
MAILGUN_API_KEY = env.text("MAILGUN_API_KEY", "stand-in-sending-key" if DEBUG else None)
MAILGUN_READ_API_KEY = env.text("MAILGUN_READ_API_KEY", "")
MAILGUN_SENDER_DOMAIN = env.text("MAILGUN_SENDER_DOMAIN", "mail.thetechdeputies.example" if DEBUG else None)
MAILGUN_API_URL = env.address("MAILGUN_API_URL", "http://127.0.0.1:8025/v3" if DEBUG else "https://api.mailgun.net/v3")
MAILGUN_WEBHOOK_SIGNING_KEY = env.text("MAILGUN_WEBHOOK_SIGNING_KEY", "stand-in-signing-key" if DEBUG else None)
DEFAULT_FROM_EMAIL = env.text(
    "DEFAULT_FROM_EMAIL", f"The Tech Deputies <help@{MAILGUN_SENDER_DOMAIN}>" if DEBUG else None
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_BACKEND = "anymail.backends.mailgun.EmailBackend"
ANYMAIL = {
    "MAILGUN_API_KEY": MAILGUN_API_KEY,
    "MAILGUN_SENDER_DOMAIN": MAILGUN_SENDER_DOMAIN,
    "MAILGUN_API_URL": MAILGUN_API_URL,
    "REQUESTS_TIMEOUT": (3, 10),
}
# Each worker process keeps one connection to Mailgun a thread: two processes are 64.
EMAIL_BATCH_SIZE = 128
EMAIL_SENDER_THREADS = 32

# --- Celery (engineering notes, A2) -------------------------------------------------------------------
# Celery names a socket address and its database number otherwise than redis-py.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 0.2,
    "socket_keepalive": True,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_RETRY_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 30
CELERY_TASK_TIME_LIMIT = 40
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {"emails.tasks.drain_critical": {"queue": "critical"}}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

# --- Logs (see logs.py) ---------------------------------------------------------------------------------
# One line a request, when it is finished; the address on it is the one we count by, bound in logs.py.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

if SENTRY_DSN:
    report_to(SENTRY_DSN)

# Whether this is a copy to try things in: the one question asked after DEBUG is turned off below.
IS_DEVELOPMENT = DEBUG

# Last, when everything above has chosen its values: Django's own debug pages would hide the product's 404 and 500
# from whoever tries `make run`, and break its content policy. Tracebacks are in the log.
DEBUG = False
