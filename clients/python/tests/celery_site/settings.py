"""A project with a Celery worker. test_celery.py starts it, with the environment that the documentation names."""

import os

ALLOWED_HOSTS = ["testserver"]
FOLDER = os.environ["CELERY_SITE_FOLDER"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.join(FOLDER, "site.sqlite3"),
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = os.path.join(FOLDER, "mails")
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "token_broker_client.django",
    "accounts",  # the recipe of docs/adopt-django.md, which the test writes into the folder
]
ROOT_URLCONF = "celery_site.urls"
SECRET_KEY = "x" * 50
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
USE_TZ = True

TOKEN_BROKER = {
    "URL": os.environ["TOKEN_BROKER_URL"],
    "AUTHORITY": os.environ["TOKEN_BROKER_AUTHORITY"],
    "KEY_ID": os.environ["TOKEN_BROKER_KEY_ID"],
    "SECRET": os.environ["TOKEN_BROKER_SECRET"],
    "SITE_URL": "https://audits.megdocs.example",
    "USER_ID_FUNCTION": lambda user: user.username,
    # Keeps connections open: a worker process must not use one of the process that it was forked from.
    "TRANSPORT": "token_broker_client.transports.RequestsTransport",
}

CELERY_BROKER_URL = "filesystem://"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": os.path.join(FOLDER, "queue"),
    "data_folder_out": os.path.join(FOLDER, "queue"),
    "control_folder": os.path.join(FOLDER, "control"),
    "polling_interval": 0.05,
}
CELERY_RESULT_BACKEND = f"file://{os.path.join(FOLDER, 'results')}"
CELERY_RESULT_SERIALIZER = os.environ["CELERY_SITE_SERIALIZER"]
CELERY_RESULT_ACCEPT_CONTENT = ["json", "pickle"]
