"""A project whose tests know nothing of the broker. Nothing listens at URL."""

from megdocs.settings import *  # noqa: F403
from megdocs.settings import TOKEN_BROKER as RIGHT

TOKEN_BROKER = {**RIGHT, "URL": "http://127.0.0.1:9", "KEY_ID": "megdocs", "SECRET": "A" * 43}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
