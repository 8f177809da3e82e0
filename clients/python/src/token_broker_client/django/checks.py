"""System checks. ``manage.py check`` reads the settings and URLs. ``--database default`` also looks for migrations that
were not run. ``--deploy`` also calls the broker."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import connections, router
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.models import EmailField, SlugField, URLField
from django.db.utils import DatabaseError
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from ..client import Client
from ..errors import (
    BrokerError,
    BrokerUnreachable,
    CallerForbidden,
    ClockSkew,
    InvalidRequest,
    InvalidSignature,
    NotConnected,
    NotFound,
    UntrustedAnswer,
)
from ..tokens import Token
from ..transports import CERTIFICATE_EXPIRED, CERTIFICATE_NAME_WRONG, CERTIFICATE_NOT_TRUSTED
from . import conf, old_table
from .middleware import NoImpersonationMiddleware

UNUSED_USER_ID = "token-broker-check"
"""A valid user id that no user has."""
_INVALID_USER_ID = "x" * 129
"""The broker refuses it after it has checked the permission, and before it changes anything."""
_VIEWS = (
    ("connect", "ENTRY_URL_CONNECT"),
    ("manage", "ENTRY_URL_MANAGE"),
    ("complete", "COMPLETION_URL"),
)

_HINTS: dict[type[BrokerError], str] = {
    InvalidSignature: "Compare KEY_ID, SECRET and AUTHORITY with the broker's callers file and INTERNAL_AUTHORITIES.",
    ClockSkew: "Set this machine's clock.",
    UntrustedAnswer: "Compare the response key with the broker's, and look for a proxy that changes answers.",
    BrokerUnreachable: (
        "Compare URL with the address of the broker's internal listener. Where no broker can be reached, as when an "
        "image is built, run the check without --deploy, or add token_broker.E002 to SILENCED_SYSTEM_CHECKS there."
    ),
}
_CERTIFICATE_HINTS: dict[str, str] = {
    CERTIFICATE_NOT_TRUSTED: (
        "No authority that this process trusts has signed the broker's certificate. Set CA_FILE to the file (PEM) with "
        "the certificate of the authority."
    ),
    CERTIFICATE_NAME_WRONG: (
        "The broker's certificate is for other names than the host in URL. Use one of its names in URL, or have the "
        "certificate made for this one too."
    ),
    CERTIFICATE_EXPIRED: "The broker's certificate has expired: its operators must renew it.",
}
_LISTENER = (
    "URL must be the address of the broker's internal listener: in the chart, the service …-internal, port 8081."
)


def check_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    found = conf.settings_problems()
    # IMPORT is only there while connections are moved.
    if not found and "IMPORT" in conf.get_settings():
        found = old_table.problems()
    return [Error(problem, id="token_broker.E001") for problem in found]


_IMPERSONATION = "token_broker_client.django.middleware.NoImpersonationMiddleware"


def check_project(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """What the app needs of the project beside its own settings."""
    found: list[CheckMessage] = []
    if not settings.USE_TZ:
        hint = "Set USE_TZ = True: times of the broker have a time zone, and the app compares them with its own."
        found.append(Error("The token broker's app needs USE_TZ.", hint=hint, id="token_broker.E005"))
    users = router.db_for_write(get_user_model())
    if any(router.db_for_write(model) != users for model in apps.get_app_config("token_broker").get_models()):
        text = f"The tables of token_broker are not in the database of the user model ({users})."
        hint = "Let DATABASE_ROUTERS give both the same: a user and the user's connection change in one transaction."
        found.append(Error(text, hint=hint, id="token_broker.E005"))
    if not conf.settings_problems() and not conf.get_settings().get("USER_ID_FUNCTION") and not _has_usable_key():
        text = "The broker does not accept the primary keys of the user model as ids of users."
        hint = (
            "Set USER_ID_FUNCTION (and FIND_USER_FUNCTION) to a function that returns 1 to 128 characters of "
            "A-Z a-z 0-9 . _ ~ - for each user, and never another for the same one."
        )
        found.append(Error(text, hint=hint, id="token_broker.E005"))
    if any(map(apps.is_installed, ("hijack", "impersonate"))) and not any(map(_prevents, settings.MIDDLEWARE)):
        text = "Staff who act for a user reach the user's Microsoft account."
        hint = f"Add {_IMPERSONATION} to MIDDLEWARE, below the one that sets request.user."
        found.append(Warning(text, hint=hint, id="token_broker.W004"))
    return found


def _has_usable_key() -> bool:
    """Numbers, UUIDs and slugs are accepted, and texts that users do not choose."""
    model: Any = get_user_model()
    key = model._meta.pk
    while key.remote_field is not None:
        key = key.target_field
    kind: str = key.get_internal_type()
    if isinstance(key, EmailField | URLField):
        return False
    if kind == "CharField" and not isinstance(key, SlugField):
        return bool(key.name != model.USERNAME_FIELD)
    return kind == "UUIDField" or kind == "SlugField" or kind.endswith(("AutoField", "IntegerField"))


def _prevents(middleware: str) -> bool:
    try:
        found = import_string(middleware)
    except ImportError:
        return False  # Django says so
    return isinstance(found, type) and issubclass(found, NoImpersonationMiddleware)


def check_urls(app_configs: Any, **_: Any) -> list[CheckMessage]:
    try:
        reverse("token_broker:complete")
    except NoReverseMatch:
        return [
            Error(
                "The pages of the token broker have no URLs.",
                hint='Add path("microsoft/", include("token_broker_client.django.urls")) to urlpatterns.',
                id="token_broker.E004",
            )
        ]
    return []


def check_migrations(app_configs: Any, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Warnings, because ``migrate`` runs this check too, and would not start with an error."""
    found: list[CheckMessage] = []
    models = list(apps.get_app_config("token_broker").get_models())
    for alias in databases or ():
        if not any(router.allow_migrate_model(alias, model) for model in models):
            continue
        try:
            executor = MigrationExecutor(connections[alias])
            targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "token_broker"]
            plan = executor.migration_plan(targets)
        except (DatabaseError, InconsistentMigrationHistory) as error:
            text = f"Whether the migrations of token_broker were run on {alias} is not known: {type(error).__name__}."
            found.append(Warning(text, hint="Run `python manage.py showmigrations`.", id="token_broker.W003"))
            continue
        missing = [migration.name for migration, _ in plan if migration.app_label == "token_broker"]
        if missing:
            text = f"Migrations of token_broker were not run on the database {alias}: {', '.join(missing)}."
            found.append(Warning(text, hint="Run `python manage.py migrate`.", id="token_broker.W003"))
    return found


def check_broker(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if conf.settings_problems():
        return []
    if conf.uses_fake_transport():
        hint = (
            "FAKE_SETTINGS is for tests: TOKEN_BROKER needs the URL, KEY_ID and SECRET of a broker, and no TRANSPORT."
        )
        return [Error("TOKEN_BROKER TRANSPORT is a fake broker.", hint=hint, id="token_broker.E009")]
    client = conf.make_client_for_checks()
    try:
        client.get_token(UNUSED_USER_ID)
    except NotConnected:
        pass
    except CallerForbidden:
        return [
            Error(
                "The token broker gives no tokens to this key.",
                hint="Give it the permission tokens:read in the broker's callers file.",
                id="token_broker.E003",
            )
        ]
    except BrokerError as error:
        return [_unusable(client, error)]
    return [*_check_permissions(client), *_check_addresses(client)]


def _unusable(client: Client, error: BrokerError) -> CheckMessage:
    if isinstance(error, UntrustedAnswer) and error.detail == "unsigned":
        listener = client.which_listener()
        found = (
            f"URL is the {listener} listener of the token broker." if listener else "What answers at URL signs nothing."
        )
        return Error(found, hint=_LISTENER, id="token_broker.E006")
    if error.detail is not None and error.detail in _CERTIFICATE_HINTS:
        return Error(
            "The certificate of the token broker is not accepted.",
            hint=_CERTIFICATE_HINTS[error.detail],
            id="token_broker.E007",
        )
    detail = f" ({error.detail})" if error.detail else ""
    hint = _HINTS.get(type(error), error.advice)
    return Error(f"The token broker cannot be used: {error.code}{detail}.", hint=hint, id="token_broker.E002")


def _check_addresses(client: Client) -> list[CheckMessage]:
    """Whether the broker sends browsers to the pages of this site."""
    try:
        broker = client.get_connect_urls()
    except (NotFound, CallerForbidden):
        return []  # an older broker; or a permission is missing, which another check says
    except BrokerError as error:
        return [Warning(f"The broker's addresses: {error.code}.", id="token_broker.W002")]
    found: list[CheckMessage] = []
    site_url = (conf.get_settings().get("SITE_URL") or "").rstrip("/")
    for (name, setting), given in zip(_VIEWS, (broker.connect, broker.manage, broker.completion), strict=True):
        try:
            path = reverse(f"token_broker:{name}")
        except NoReverseMatch:
            return []  # check_urls says so
        own = f"{site_url}{path}"
        parts = urlsplit(given)
        if given == own or (not site_url and parts.path == path and not parts.query):
            continue
        found.append(
            Error(
                f"The broker's {setting} is {given}, but this site has the page at {own}.",
                hint=f"Correct {setting} at the broker, SITE_URL, or the path in urlpatterns. A project with a view of "
                "its own there adds token_broker.E008 to SILENCED_SYSTEM_CHECKS.",
                id="token_broker.E008",
            )
        )
    return found


def _check_permissions(client: Client) -> list[CheckMessage]:
    """Tries each permission that docs/adopt-django.md asks for, with a call that changes nothing."""
    found: list[CheckMessage] = []
    token = Token(UNUSED_USER_ID, "", "", 0, "", [], 0, {})
    calls: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("tokens:refresh", lambda: client.refresh(token)),
        ("connect:write", lambda: client.get_connect_session(str(uuid.uuid4()))),
        ("integrations:read", lambda: client.get_integration(UNUSED_USER_ID)),
        ("integrations:delete", lambda: client._call("DELETE", f"/integrations/{_INVALID_USER_ID}")),
        ("events:read", lambda: client.read_events(limit=1)),
        ("sessions:delete", lambda: client._call("DELETE", f"/browser-sessions/{_INVALID_USER_ID}")),
    )
    for permission, call in calls:
        try:
            call()
        except (NotConnected, NotFound, InvalidRequest):
            pass
        except CallerForbidden:
            found.append(Warning(f"The key lacks the permission {permission}.", id="token_broker.W001"))
        except BrokerError as error:
            found.append(Warning(f"{permission}: {error.code}.", id="token_broker.W002"))
    return found


def connect() -> None:
    register(check_settings, "token_broker")
    register(check_project, "token_broker")
    register(check_urls, "token_broker")
    register(check_migrations, "token_broker", "database")
    register(check_broker, "token_broker", deploy=True)
