"""A small MEGDocs. The lines that the broker needs are marked with (broker)."""

import os
import secrets

SECRET_KEY = os.environ.get("MEGDOCS_SECRET_KEY") or secrets.token_urlsafe(48)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
INSTALLED_APPS = [
    "django.contrib.admin",  # (broker) the package has support pages in it
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",  # of the admin
    "token_broker_client.django",  # (broker)
    "megdocs",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",  # (broker) the package's pages are in the browser's language
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "megdocs.urls"
TEMPLATES = [
    {
        # megdocs/templates comes first: its token_broker/base.html gives the package's pages the layout of MEGDocs.
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [os.path.join(os.path.dirname(__file__), "templates")],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "megdocs.views.sandbox_controls",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("MEGDOCS_DATABASE", "megdocs.sqlite3"),
        "OPTIONS": {"timeout": 20},
        "TEST": {"NAME": os.environ.get("MEGDOCS_TEST_DATABASE")},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español")]  # (broker) those of the package
STATIC_URL = "static/"
LOGIN_URL = "login"
SESSION_COOKIE_SAMESITE = "Strict"  # the strictest case for the way back from Microsoft

TOKEN_BROKER = {  # (broker)
    "URL": os.environ.get("TOKEN_BROKER_URL", "http://127.0.0.1:9"),
    "AUTHORITY": os.environ.get("TOKEN_BROKER_AUTHORITY", "token-broker.internal"),
    "KEY_ID": os.environ.get("TOKEN_BROKER_KEY_ID", "megdocs"),
    "SECRET": os.environ.get("TOKEN_BROKER_SECRET", "A" * 43),
    "USER_ID_FUNCTION": "megdocs.views.broker_id_of",
    "FIND_USER_FUNCTION": "megdocs.views.user_of_broker_id",
    "SITE_URL": os.environ.get("MEGDOCS_URL", "http://localhost:8000"),
    # The sandbox may run on a slow machine.
    "STATUS_TIMEOUT_SECONDS": float(os.environ.get("MEGDOCS_STATUS_TIMEOUT_SECONDS", "2")),
    "HOME_URL": "home",
    "SUPPORT_CONTACT": "support@megdocs.example",
    "IMPORT": {
        "MODEL": "megdocs.Oauth2Integration",
        "FILTER": {"provider": "microsoft"},
        "FIELDS": {
            "user_id": "user__username",
            "refresh_token": "refresh_token",
            "access_token": "access_token",
            "expires_at": "expires_at",
            "scopes": "scope",
            "updated_at": "updated_at",
        },
    },
}

GRAPH_URL = os.environ.get("GRAPH_URL", "https://graph.microsoft.com")
SANDBOX_CONTROLS_URL = os.environ.get("SANDBOX_CONTROLS_URL")
