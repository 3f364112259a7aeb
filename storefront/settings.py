"""Every setting of Spindle, read top to bottom; each can be given in the environment.

The defaults run the whole shop on one machine without any account anywhere. `SPINDLE_PRODUCTION=true`
asks for the real parts; what it refuses is in `storefront/checks.py`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import django_stubs_ext
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from storefront import logs

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str) -> str:
    """A setting as text; `NAME_FILE` (a path to a secret) wins over `NAME`."""
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().strip()
    return os.environ.get(name, default)


def env_flag(name: str, default: bool) -> bool:
    value = os.environ.get(name, str(default)).lower()
    if value not in {"true", "false"}:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value == "true"


def env_list(name: str, default: str) -> list[str]:
    return [item.strip() for item in env(name, default).split(",") if item.strip()]


def kept_secret(name: str) -> str:
    """A secret from the environment, or one made at the first start and kept in the data folder."""
    if given := env(name, ""):
        return given
    if SPINDLE_PRODUCTION:
        raise ImproperlyConfigured(f"{name} (or {name}_FILE) must be set in production.")
    path = SPINDLE_DATA / "secrets" / name.lower()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as made:  # mode 0600
            made.write(secrets.token_urlsafe(48))
            made.flush()
            with contextlib.suppress(FileExistsError):  # of two processes, both read what one made
                os.link(made.name, path)
    return path.read_text()


SPINDLE_PRODUCTION = env_flag("SPINDLE_PRODUCTION", False)
SPINDLE_DATA = Path(env("SPINDLE_DATA", str(BASE_DIR / "var")))
SPINDLE_DATA.mkdir(parents=True, exist_ok=True)

# --- The shop -----------------------------------------------------------------------------------

SPINDLE_NAME = env("SPINDLE_NAME", "Spindle")
SPINDLE_CURRENCY = env("SPINDLE_CURRENCY", "EUR")
SPINDLE_TAX_PERMILLE = int(env("SPINDLE_TAX_PERMILLE", "190"))  # inside all prices; tenths of a percent
SPINDLE_ZONE = env("SPINDLE_ZONE", "Europe/Berlin")  # promised dates are dates of this zone
SPINDLE_COUNTRY = env("SPINDLE_COUNTRY", "DE")
SPINDLE_PROMISE_PERCENT = int(env("SPINDLE_PROMISE_PERCENT", "98"))  # how many of 100 parcels must keep their date
if not 50 <= SPINDLE_PROMISE_PERCENT <= 100:
    raise ImproperlyConfigured(f"SPINDLE_PROMISE_PERCENT must be 50 to 100, not {SPINDLE_PROMISE_PERCENT}.")
SPINDLE_SENDER = env("SPINDLE_SENDER", "Spindle, Am Plattenwerk 1, 10115 Berlin, Germany")  # on labels
SPINDLE_STAFF_MAIL = env("SPINDLE_STAFF_MAIL", "")  # where alerts go; empty: the admin alone shows them
SPINDLE_BASE_URL = env("SPINDLE_BASE_URL", "http://127.0.0.1:8000").rstrip("/")  # in mails and for agents

# --- Pluggable parts, by dotted path --------------------------------------------------------------

SPINDLE_POLICY = env("SPINDLE_POLICY", "fulfillment.planning.policies.FirstCome")
SPINDLE_IMAGE_MAKER = env("SPINDLE_IMAGE_MAKER", "archive.mastering.master_folder")
SPINDLE_LABEL_PRINTER = env("SPINDLE_LABEL_PRINTER", "" if SPINDLE_PRODUCTION else "fulfillment.printers.FolderPrinter")
SPINDLE_PAYER = env("SPINDLE_PAYER", "storefront.stripe_payer.StripePayer")

# --- Stripe; the stand-in speaks the same wire --------------------------------------------------

STRIPE_SECRET_KEY = env("STRIPE_SECRET_KEY", "sk_test_standin")
STRIPE_WEBHOOK_SECRETS = env_list("STRIPE_WEBHOOK_SECRETS", "whsec_standin")  # two while one is rotated
STRIPE_ACCOUNT = env("STRIPE_ACCOUNT", "")  # only for a connected account: whose events are taken besides the key's own
STRIPE_API_BASE = env("STRIPE_API_BASE", "http://127.0.0.1:8010").rstrip("/")
STRIPE_CHECKOUT_ORIGIN = env("STRIPE_CHECKOUT_ORIGIN", STRIPE_API_BASE)  # where the hosted page lives

# --- Agents ---------------------------------------------------------------------------------------

SPINDLE_WRITER_KEY = kept_secret("SPINDLE_WRITER_KEY")  # command tokens are derived from it
SPINDLE_WRITER_KEY_FALLBACKS = env_list("SPINDLE_WRITER_KEY_FALLBACKS", "")  # the one before, while it is rotated
SPINDLE_AGENT_NETWORKS = env_list("SPINDLE_AGENT_NETWORKS", "127.0.0.0/8,::1/128")
SPINDLE_DISCOVERY = env_flag("SPINDLE_DISCOVERY", True)  # listen for agents by mDNS; through a bridge there is none

# --- Folders --------------------------------------------------------------------------------------

SPINDLE_IMAGES = SPINDLE_DATA / "images"
SPINDLE_UPLOADS = SPINDLE_DATA / "uploads"  # what staff send, until it is an image
SPINDLE_PAPERS = SPINDLE_DATA / "papers"
SPINDLE_X_ACCEL = env("SPINDLE_X_ACCEL", "")  # nginx's internal location of the images; empty: sent from here
EMAIL_BACKEND = env("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")
EMAIL_FILE_PATH = SPINDLE_DATA / "mail"
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", "Spindle <orders@spindle.example>")
EMAIL_HOST = env("EMAIL_HOST", "localhost")
EMAIL_PORT = int(env("EMAIL_PORT", "587"))
EMAIL_HOST_USER = env("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env_flag("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 20  # seconds; without one a mail server that hangs holds the worker

# --- Django ---------------------------------------------------------------------------------------

SECRET_KEY = kept_secret("SPINDLE_SECRET_KEY")
SECRET_KEY_FALLBACKS = env_list("SPINDLE_SECRET_KEY_FALLBACKS", "")  # sessions signed by the one before stay
DEBUG = env_flag("SPINDLE_DEBUG", False)
ALLOWED_HOSTS = env_list("SPINDLE_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
ROOT_URLCONF = "storefront.urls"
WSGI_APPLICATION = "storefront.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "storefront",
    "fulfillment",
    "devices",
    "archive",
    "storefront.admin_site.SpindleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_countries",
    "django_htmx",
    "csp",
    "axes",
    "drf_spectacular",
]

MIDDLEWARE = [
    "storefront.probes.Probes",  # above all that looks at the Host header, the scheme or the session
    "storefront.request_log.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",  # these two above what may refuse a request
    "storefront.access.private_pages",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "storefront.limits.Doorkeeper",
    "axes.middleware.AxesMiddleware",
]

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
                "storefront.context.shop",
            ],
            "builtins": ["storefront.templatetags.spindle"],
        },
    },
]

SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": SPINDLE_DATA / "spindle.sqlite3",
    # IMMEDIATE, because a deferred transaction that turns from reading to writing fails at once.
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    },
    "TEST": {"NAME": SPINDLE_DATA / "test.sqlite3"},
}


def postgres(url: str) -> dict[str, Any]:
    """A connection that outlives a request, is looked at before it is used, and lets no statement hang for ever."""
    found: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True))
    if found["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// (without it, SQLite is used).")
    limits = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
    return found | {"OPTIONS": {"options": limits, "connect_timeout": 5} | found.get("OPTIONS", {})}


DATABASE_URL = env("DATABASE_URL", "")
DATABASES = {"default": postgres(DATABASE_URL) if DATABASE_URL else SQLITE}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = SPINDLE_ZONE  # pages speak the shop's zone; the database and the code speak UTC
USE_TZ = True
USE_I18N = True
COUNTRIES_FIRST = [SPINDLE_COUNTRY]
FORMAT_MODULE_PATH = ["storefront.formats"]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

STATIC_URL = "static/"
STATIC_ROOT = Path(env("SPINDLE_STATIC", str(SPINDLE_DATA / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Compressing takes longer than all the rest of a first start; only real visitors are worth it.
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if SPINDLE_PRODUCTION
        else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    },
}

MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30  # a cart outlives a weekend
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if SPINDLE_PRODUCTION:  # browsers take these names only over TLS, from this very host, for all its paths
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = SPINDLE_PRODUCTION
SECURE_HSTS_SECONDS = 31_536_000 if SPINDLE_PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SPINDLE_PRODUCTION
if SPINDLE_PRODUCTION:  # TLS ends at the proxy, which must set (and never pass on) this header
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        # Browsers hold a form's redirect to this list, and "Pay" redirects to the hosted page.
        "form-action": [SELF, STRIPE_CHECKOUT_ORIGIN],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["storefront.access.Nobody"],  # each door says for itself who may pass
    "DEFAULT_THROTTLE_CLASSES": ["storefront.access.WriterThrottle"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "storefront.access.answer_refusal",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Spindle",
    "DESCRIPTION": "The doors for writers' agents. People use the pages.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": ["rest_framework.authentication.SessionAuthentication"],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAdminUser"],
}

# --- Limits: how often and how much; counted in the database, so that they hold over all processes ----


def limit(name: str, default: str) -> tuple[int, int]:
    """`SPINDLE_LIMIT_…=20/600`: 20 times in 600 seconds."""
    count, slash, seconds = env(f"SPINDLE_LIMIT_{name}", default).partition("/")
    if not (slash and count.isdecimal() and seconds.isdecimal() and int(seconds)):
        raise ImproperlyConfigured(f"SPINDLE_LIMIT_{name} must be like {default}: how often / in how many seconds.")
    return int(count), int(seconds)


# How many proxies of ours a request comes through: each appends to X-Forwarded-For whom it saw.
SPINDLE_PROXIES = int(env("SPINDLE_PROXIES", "1" if SPINDLE_PRODUCTION else "0"))
SPINDLE_LIMITS = {  # method and view: of one session, and of one address (an office, a whole mobile network)
    "POST cart-add": {"address": limit("CART_ADDRESS", "600/600")},
    "POST checkout": {"session": limit("CHECKOUT_SESSION", "60/600"), "address": limit("CHECKOUT_ADDRESS", "300/600")},
    "POST pay": {"session": limit("PAY_SESSION", "20/600"), "address": limit("PAY_ADDRESS", "60/600")},
    "GET paid": {"address": limit("PAID_ADDRESS", "300/600")},
    "GET title-dates": {"address": limit("DATES_ADDRESS", "600/60")},
    "GET checkout-options": {"address": limit("OPTIONS_ADDRESS", "600/60")},
    "POST order-cancel": {"address": limit("CANCEL_ADDRESS", "60/600")},
    "POST admin:login": {
        "address": limit("LOGIN_ADDRESS", "30/300"),  # one password tried on many names
        "name": limit("LOGIN_NAME", "200/3600"),  # many addresses that try one name
    },
}
SPINDLE_WRITER_LIMIT = limit("WRITER", "600/60")  # calls of one writer to one door of the API
SPINDLE_STRANGER_LIMIT = limit("STRANGER", "60/60")  # calls of one address without a token that fits
SPINDLE_BODIES = {"stripe-webhook": 512 * 1024}  # bytes, where less than the next is enough
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440  # bytes of a body: a report has up to 2 MiB
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = int(env("SPINDLE_LOGIN_FAILURES", "10"))
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["ip_address", "username"]]  # a name alone: who knows it could keep its owner out
AXES_LOCKOUT_CALLABLE = "storefront.limits.locked_out"
AXES_CLIENT_IP_CALLABLE = "storefront.limits.address_of"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # who guesses on must not keep the owner out for ever
AXES_DISABLE_ACCESS_LOG = True  # who logged in from where is not our business
AXES_ENABLE_ADMIN = False  # `storefront/admin.py` shows what staff need
AXES_VERBOSE = False

# --- Celery: wakes ticks up, and keeps nothing ----------------------------------------------------

REDIS_URL = env("REDIS_URL", f"redis+socket://{SPINDLE_DATA / 'redis' / 'redis.sock'}?virtual_host=0")
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # Redis may be away for a night; storefront/celery.py bounds the pauses
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "visibility_timeout": 4 * 3600,
    "unacked_restore_throttle": 1,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "ticks"
CELERY_TASK_ROUTES = {  # all others are ticks
    "archive.*": {"queue": "mastering"},
    "fulfillment.bring_images": {"queue": "mastering"},  # may take an hour, and agents' time
    "devices.discover": {"queue": "documents"},  # listens for seconds
    "fulfillment.print_papers": {"queue": "documents"},
    "storefront.send_mail": {"queue": "documents"},
    "storefront.settle_money": {"queue": "documents"},  # waits for the payer, as ticks must not
    "storefront.reconcile": {"queue": "documents"},
}
CELERY_BEAT_SCHEDULE = {
    # A tick that waited longer than its period in the queue is dropped: the next one does its work.
    name: {"task": name, "schedule": seconds, "options": {"expires": 2 * seconds}}
    for name, seconds in (
        ("devices.tick", 2.0),
        ("devices.discover", 30.0),
        ("fulfillment.tick", 2.0),
        ("fulfillment.roll", 15.0),
        ("storefront.tick", 2.0),
        ("fulfillment.print_papers", 3.0),
        ("storefront.send_mail", 5.0),
        ("storefront.settle_money", 5.0),
        ("storefront.watch", 10.0),
        ("archive.master_waiting", 10.0),
        ("archive.make_uploads", 3.0),
        ("fulfillment.bring_images", 5.0),
    )
}
CELERY_BEAT_SCHEDULE["storefront.reconcile"] = {
    "task": "storefront.reconcile",
    "schedule": crontab(hour="3", minute="17"),  # UTC
    "options": {"expires": 3600.0},
}
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # keeps no file: there is nothing worth keeping
CELERY_TASK_PUBLISH_RETRY = False  # a nudge that is lost costs nothing; a page that waits for Redis does

# --- Logs and metrics -----------------------------------------------------------------------------

SPINDLE_METRICS_TOKEN = env("SPINDLE_METRICS_TOKEN", "")  # empty: nobody may read /metrics (docs/monitoring.md)
SPINDLE_ALIVE = Path(env("SPINDLE_ALIVE", str(SPINDLE_DATA / "alive")))  # signs of life of worker and beat
LOGGING = logs.config(
    env("SPINDLE_LOG_FORMAT", "json" if SPINDLE_PRODUCTION else "console"),
    env("SPINDLE_LOG_LEVEL", "INFO"),
    secrets=[
        SECRET_KEY,
        *SECRET_KEY_FALLBACKS,
        SPINDLE_WRITER_KEY,
        *SPINDLE_WRITER_KEY_FALLBACKS,
        STRIPE_SECRET_KEY,
        *STRIPE_WEBHOOK_SECRETS,
        SPINDLE_METRICS_TOKEN,
        EMAIL_HOST_PASSWORD,
        str(DATABASES["default"].get("PASSWORD", "")),
        urlsplit(REDIS_URL).password or "",
    ],
)
