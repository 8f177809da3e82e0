"""A project with another user model and no functions for ids."""

import django
from django.conf import settings
from django.urls import include, path

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    AUTH_USER_MODEL="uuid_people.Person",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "token_broker_client.django",
        "uuid_people",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    ROOT_URLCONF="uuid_people.site",
    SECRET_KEY="x" * 50,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    TOKEN_BROKER={"URL": "http://fake-broker.invalid", "KEY_ID": "fake", "SECRET": "A" * 43},
    USE_TZ=True,
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.admin.utils import quote  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core import mail  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client as Browser  # noqa: E402

from token_broker_client.django import conf, feed  # noqa: E402
from token_broker_client.testing import FakeBroker  # noqa: E402

urlpatterns = [path("admin/", admin.site.urls), path("microsoft/", include("token_broker_client.django.urls"))]

LIST = "/admin/token_broker/connection/"


def main():
    """Solves support cases. Raises AssertionError if it cannot."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("check", fail_level="ERROR")
    call_command("makemigrations", "token_broker", check_changes=True, dry_run=True, verbosity=0)
    people = get_user_model().objects
    clerk = people.create(login_mail="clerk@megdocs.example", full_name="Clerk", is_staff=True, is_superuser=True)
    sam = people.create(login_mail="sam@contoso.com", full_name="Samira Khan")
    new = people.create(login_mail="new@contoso.com", full_name="Nadja Novak")
    browser, fake = Browser(), FakeBroker()
    browser.force_login(clerk)
    with conf.use_fake(fake):
        fake.connect(str(sam.pk), "s.khan@hospital.example")
        fake.require_reconnect(str(sam.pk), "access_revoked")
        feed.sync()
        for query in ("Khan", "sam@contoso", "hospital.example", str(sam.pk)):
            page = browser.get(LIST, {"q": query}).content.decode()
            assert str(sam.pk) in page, query
        url = f"{LIST}{quote(sam.pk)}/"
        page = browser.get(f"{url}change/").content.decode()
        assert "Access was ended at Microsoft" in page and "sam@contoso.com" in page
        browser.post(f"{url}link/")
        assert mail.outbox[0].to == ["sam@contoso.com"]
        browser.post(f"{url}disconnect/")
        assert str(sam.pk) not in fake.users
        page = browser.get(LIST, {"q": "Novak"}).content.decode()
        assert f"person/{new.pk}/" in page
        assert "Never connected" in browser.get(f"{LIST}person/{new.pk}/").content.decode()
        assert browser.get(f"{LIST}person/not-a-uuid/").status_code == 404
        sam.delete()
        assert browser.get(f"{url}change/").status_code == 404
