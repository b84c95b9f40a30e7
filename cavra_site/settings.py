"""Django's settings: one file, no variants. What may differ between machines comes from `env.read()`."""

from typing import Any

from csp.constants import NONE, SELF

from cavra_site import database, env, keys, processes

ENV = env.read()
BASE_DIR = env.BASE_DIR
HOME = ENV.home

# Only the processes of a task cluster have one (cavra_site/cluster.py).
_watch_folder = processes.watch_folder()

# --- The project's own words: what the application reads ------------------------------------------------------------

CAVRA_HOME = HOME
# A demo's commands in another terminal mean the demo's connectors.
_demo_connectors = HOME / env.DEMO_CONNECTORS
CAVRA_CONNECTOR_CONFIG = ENV.connector_config or (_demo_connectors if _demo_connectors.exists() else None)
CAVRA_LEDGER_KEY_FILE = ENV.ledger_key_file or HOME / "ledger_key"
CAVRA_CHECKPOINT_FILE = ENV.checkpoint_file or HOME / "checkpoints.txt"
CAVRA_FOUR_EYES = ENV.four_eyes
CAVRA_SECOND_APPROVER_ABOVE = ENV.second_approver_above
CAVRA_CANARY_WAVES = ENV.canary_waves
CAVRA_STOP_FAILURE_PERCENT = ENV.stop_failure_percent
CAVRA_STOP_CONSECUTIVE_FAILURES = ENV.stop_consecutive_failures
CAVRA_DRY_RUN_MINUTES = ENV.dry_run_minutes
CAVRA_EXECUTIVE_REPORT_MINUTES = ENV.executive_report_minutes

# --- Django ---------------------------------------------------------------------------------------------------------

SECRET_KEY_FILE = ENV.secret_key_file or HOME / "secret_key"
SECRET_KEY = keys.read(SECRET_KEY_FILE)
DEBUG = ENV.debug
ALLOWED_HOSTS = ENV.allowed_hosts
ROOT_URLCONF = "cavra_site.urls"
WSGI_APPLICATION = "cavra_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False
APPEND_SLASH = False

INSTALLED_APPS = [
    # Instead of django.contrib.admin: the same application with the Evidence Console as its site.
    "rollback_audit.admin.apps.EvidenceConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "django_q",
    "rollback_audit.apps.RollbackAuditConfig",
]

MIDDLEWARE = [
    "cavra_site.requests.CorrelationMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"console": "rollback_audit.console.templatetags.console"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# No collectstatic: WhiteNoise reads the files where they are, once, at the start. There are few of them.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# --- Data -----------------------------------------------------------------------------------------------------------

DATABASES = {
    "default": database.django_settings(
        ENV.database_url or database.SqliteAddress(HOME / "cavra.sqlite3"),
        pool_size=None if _watch_folder else ENV.database_pool,
        test_folder=HOME,
    )
}

CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": ENV.redis_url,
        "KEY_PREFIX": "cavra",
    }
    if ENV.redis_url
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- The doorbell (docs/architecture.md): ids only, results nowhere, every task safe to lose and safe to repeat ------

_TASK_SECONDS = 600
# A task takes no more work after this long, so that exchanges of up to a minute settle before the queue kills it.
CAVRA_TASK_SECONDS = _TASK_SECONDS - 100
# There once a task should take no more work because its process is to end.
CAVRA_STOP_FILE = _watch_folder / processes.STOP_FILE if _watch_folder else None

Q_CLUSTER: dict[str, Any] = {
    "name": "cavra",
    "label": "Task queue",
    "workers": ENV.task_workers,
    "timeout": _TASK_SECONDS,
    # Counted from the moment a task is fetched, not begun: must outlast one task that waits and one that runs.
    "retry": 3 * _TASK_SECONDS,
    "queue_limit": 1,
    "bulk": 1,
    "poll": 0.2,
    "ack_failures": True,
    "max_attempts": 1,
    "catch_up": False,
    "save_limit": -1,
    "log_level": "WARNING",
    "broker_class": "cavra_site.brokers.RedisDoorbell" if ENV.redis_url else "cavra_site.brokers.DatabaseDoorbell",
    # Empty with Redis: engine/doorbell.py asks it whether a task joins the transaction that rings for it.
    "orm": None if ENV.redis_url else "default",
    "redis": ENV.redis_url,
}

# --- Doors ----------------------------------------------------------------------------------------------------------

LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rollback_audit.api.authentication.TokenAuthentication",
        "rollback_audit.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rollback_audit.api.parsers.StrictJsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "rollback_audit.api.schema.EvidenceSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "rollback_audit.api.throttling.AnonymousThrottle",
        "rollback_audit.api.throttling.UserThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {"anon": ENV.anonymous_rate, "user": ENV.user_rate},
    "EXCEPTION_HANDLER": "rollback_audit.api.errors.handle",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "rollback_audit.api.negotiation.AlwaysJson",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNICODE_JSON": True,
    "STRICT_JSON": True,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "CAVRA Rollback Audit",
    "DESCRIPTION": "Governed retries for failed rollback drill audit deliveries.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/runtime/go-pilot/rollback-drill-notifications",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # Each enumeration is one component, whatever the fields that hold it are called.
    "ENUM_NAME_OVERRIDES": {
        name: f"rollback_audit.states.{name}"
        for name in (
            "AcknowledgementState",
            "Action",
            "AlertLevel",
            "ApprovalAction",
            "ApprovalState",
            "Category",
            "ConnectorStanding",
            "DeliveryState",
            "EscalationAcknowledgementState",
            "EscalationLevel",
            "FailureKind",
            "FollowUpApproval",
            "HealthCode",
            "MetadataKind",
            "Outcome",
            "ReasonCode",
            "ReportRisk",
            "ResultState",
            "RetryAcknowledgementState",
            "RunState",
            "SkipReason",
        )
    },
    "PREPROCESSING_HOOKS": ["rollback_audit.api.schema.without_slash"],
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- Security -------------------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CSRF_TRUSTED_ORIGINS = ENV.trusted_origins
SESSION_COOKIE_NAME = "cavra_session"
CSRF_COOKIE_NAME = "cavra_csrf"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = ENV.https
if ENV.https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
# Subdomains and the browsers' preload list are for the owner of the domain to decide, at the proxy.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- Logs: one JSON object a line, declared keys only (cavra_site/logs.py) -------------------------------------------

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "cavra_site.logs.JsonLines"}},
    # Past whatever a process has put in the place of sys.stderr (cavra_site/logs.py).
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.__stderr__"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "cavra_site": {"level": ENV.log_level.upper()},
        "rollback_audit": {"level": ENV.log_level.upper()},
        # Django's own default handlers would print requests and mail tracebacks.
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
        "django.request": {"level": "ERROR"},
        # One line for each attempt to connect, as long as the database is away; ours say it once.
        "psycopg.pool": {"level": "ERROR"},
        "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
    },
}
