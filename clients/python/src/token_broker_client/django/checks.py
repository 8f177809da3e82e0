"""System checks. ``manage.py check`` looks at the settings; ``manage.py check --deploy`` also asks the broker whether they work."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

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

PROBE = "token-broker-check"
"""A user id that nobody has."""
_NOBODY = "x" * 129
"""No user id at all: refused as invalid, after the permission was looked at and before anything is changed."""

_HINTS = {
    InvalidSignature: "Compare KEY_ID, SECRET and AUTHORITY with the broker's callers file and INTERNAL_AUTHORITIES.",
    ClockSkew: "Set this machine's clock.",
    UntrustedAnswer: "Compare the response key with the broker's, and look for a proxy that changes answers.",
    BrokerUnreachable: "Compare URL with the broker's internal listener.",
}


def check_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    found = conf.problems()
    # Only while there is something to move over.
    if not found and conf.values().get("IMPORT"):
        found = old_table.problems()
    return [Error(problem, id="token_broker.E001") for problem in found]


def check_broker(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if conf.problems():
        return []
    client = conf.client()
    try:
        client.get_token(PROBE)
    except NotConnected:
        pass
    except CallerForbidden:
        return [
            Error(
                "The token broker gives this key no tokens.",
                hint="It needs the permission tokens:read.",
                id="token_broker.E003",
            )
        ]
    except BrokerError as error:
        return [
            Error(
                f"The token broker cannot be used: {error.code}.",
                hint=_HINTS.get(type(error), error.advice),
                id="token_broker.E002",
            )
        ]
    return _check_permissions(client)


def _check_permissions(client: Any) -> list[CheckMessage]:
    """Each permission that docs/adopt-django.md asks for, by a call that changes nothing."""
    found: list[CheckMessage] = []
    probes: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("tokens:refresh", lambda: client.refresh(Token(PROBE, "", "", 0, "", [], 0, {}))),
        ("connect:write", lambda: client.connect_session(str(uuid.uuid4()))),
        ("integrations:read", lambda: client.integration(PROBE)),
        ("integrations:delete", lambda: client._call("DELETE", f"/integrations/{_NOBODY}")),
        ("events:read", lambda: client.read_events(limit=1)),
        ("sessions:delete", lambda: client._call("DELETE", f"/browser-sessions/{_NOBODY}")),
    )
    for permission, call in probes:
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
