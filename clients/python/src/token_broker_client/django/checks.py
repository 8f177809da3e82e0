"""System checks. ``manage.py check`` reads the settings. ``manage.py check --deploy`` also calls the broker with
them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

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
from . import conf, old_table

UNUSED_USER_ID = "token-broker-check"
"""A valid user id that no user has."""
_INVALID_USER_ID = "x" * 129
"""The broker refuses it after it has checked the permission, and before it changes anything."""

_HINTS = {
    InvalidSignature: "Compare KEY_ID, SECRET and AUTHORITY with the broker's callers file and INTERNAL_AUTHORITIES.",
    ClockSkew: "Set this machine's clock.",
    UntrustedAnswer: "Compare the response key with the broker's, and look for a proxy that changes answers.",
    BrokerUnreachable: "Compare URL with the address of the broker's internal listener.",
}


def check_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    found = conf.settings_problems()
    # IMPORT is only there while connections are moved.
    if not found and "IMPORT" in conf.get_settings():
        found = old_table.problems()
    return [Error(problem, id="token_broker.E001") for problem in found]


def check_broker(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if conf.settings_problems():
        return []
    client = conf.get_client()
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
        hint = _HINTS.get(type(error), error.advice)
        return [Error(f"The token broker cannot be used: {error.code}.", hint=hint, id="token_broker.E002")]
    return _check_permissions(client)


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
    register(check_broker, "token_broker", deploy=True)
