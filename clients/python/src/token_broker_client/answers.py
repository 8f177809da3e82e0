"""What the methods of ``Client`` return, as the broker sends it. The broker may add members; all times are RFC 3339.

Dictionaries have the types below, so an editor and a type checker know their members. ``…Optional`` are members that
the broker leaves out if there is nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


class Account(TypedDict, total=False):
    """The Microsoft account. Empty for an imported user until the first refresh."""

    tenant_id: str
    object_id: str
    username: str


class Microsoft(TypedDict, total=False):
    """What Microsoft answered."""

    error: str
    suberror: str
    aadsts: int
    trace_id: str
    correlation_id: str
    timestamp: str


class _DegradedOptional(TypedDict, total=False):
    retry_after: float


class Degraded(_DegradedOptional):
    """Why a valid token could not be refreshed."""

    reason: str


class Trouble(TypedDict):
    """What is in the way, and who can solve it."""

    reason: str
    who_acts: str
    """``user``, ``tenant_admin``, ``ops`` or ``nobody``."""
    advice: str


class _FailureOptional(TypedDict, total=False):
    at: str


class Failure(Trouble, _FailureOptional):
    """Why the last refresh failed."""

    final: bool
    """False: the broker tries again."""
    microsoft: Microsoft


class _IntegrationOptional(TypedDict, total=False):
    account: Account
    failure: Failure
    frozen: Trouble


class Integration(_IntegrationOptional):
    """The stored authorization of a user."""

    user_id: str
    status: str
    """``active`` or ``reconnect_required``."""
    generation: int
    scope: str
    missing_scopes: list[str]
    excess_scopes: list[str]
    connected_at: str
    refreshed_at: str
    access_token_expires_at: str


class Outcome(TypedDict, total=False):
    """How a connect session ended. ``result`` is always there."""

    result: str
    code: str
    reason: str
    who_acts: str
    advice: str
    account: Account
    microsoft: Microsoft


class _ConnectSessionOptional(TypedDict, total=False):
    outcome: Outcome


class ConnectSessionState(_ConnectSessionOptional):
    id: str
    user_id: str
    intent: str
    status: str
    created_at: str
    expires_at: str


class EventFreeze(TypedDict):
    id: str
    scope: str
    """``user``, ``tenant`` or ``caller_key``."""
    value: str


class _RawEventOptional(TypedDict, total=False):
    reason: str
    cause: str
    freeze: EventFreeze
    generation: int


class RawEvent(_RawEventOptional):
    """An event as the broker sends it; ``Event`` is made from it."""

    id: int
    at: str
    user_id: str
    type: str


class ImportRow(TypedDict, total=False):
    """A connection that the application stored itself. ``user_id``, ``refresh_token`` and ``updated_at`` are needed."""

    user_id: str | None
    refresh_token: str | None
    updated_at: str | None
    access_token: str | None
    expires_at: str | None
    scopes: str | list[str] | None
    tenant_id: str | None
    object_id: str | None
    username: str | None
    connected_at: str | None
    client_id: str | None


class _ImportResultOptional(TypedDict, total=False):
    user_id: str
    reason: str
    """Why it was skipped."""
    reasons: list[str]
    """Why it is invalid."""
    generation: int


class ImportResult(_ImportResultOptional):
    row: int
    """Its place in the request, from 0."""
    result: str
    """``imported``, ``unchanged``, ``skipped`` or ``invalid``."""


class InvalidField(TypedDict):
    field: str
    expected: str


class Addresses(TypedDict, total=False):
    """From where Graph saw the caller (``graph``), and Microsoft's sign-in the broker (``sign_in``)."""

    graph: str
    sign_in: str


@dataclass(frozen=True)
class ConnectSession:
    id: str
    """Store a keyed digest of it in the session of the user who began. Only that session may complete it. Do not store
    the id: the user can read a session in a signed cookie."""
    url: str
    """Where to send the browser. Secret until it is used."""
    expires_at: str


@dataclass(frozen=True)
class ConnectUrls:
    """Where the broker sends browsers."""

    connect: str
    """``ENTRY_URL_CONNECT``"""
    manage: str
    """``ENTRY_URL_MANAGE``"""
    completion: str
    """``COMPLETION_URL``"""


@dataclass(frozen=True)
class Completion:
    result: str
    """``connected`` or ``reconnected``."""
    account: Account
    next: str
    """The broker's page that shows the result to the user."""


@dataclass(frozen=True)
class IntegrationsPage:
    integrations: list[Integration]
    next: str | None
    """The ``after`` of the next page. None: this is the last page."""
    events_cursor: str


@dataclass(frozen=True)
class EventsPage:
    events: list[RawEvent]
    cursor: str
    more: bool
