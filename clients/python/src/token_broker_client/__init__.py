"""Client of the token broker: Microsoft access tokens for an application's users.

``Client.get_token(user_id)`` gives a token. ``Client.refresh(token)`` gives a later one after Microsoft Graph
answered 401. Every failure is a subclass of ``BrokerError``. This package uses the broker's signed API only; it does
not contain Microsoft's protocol.
"""

from .challenges import claims_of
from .client import Client, Completion, ConnectSession, EventsPage, IntegrationsPage
from .disconnects import Disconnect, DisconnectStore, FileDisconnects
from .errors import (
    AccountMismatch,
    AuditUnavailable,
    BrokerError,
    BrokerMisconfigured,
    BrokerUnreachable,
    CallerForbidden,
    ClaimsNotSatisfied,
    ClockSkew,
    ConnectRefused,
    ConnectSessionExpired,
    CursorExpired,
    DatabaseUnavailable,
    Frozen,
    InternalError,
    InvalidRequest,
    InvalidSignature,
    MicrosoftUnavailable,
    NotConnected,
    NotFound,
    RateLimited,
    ReconnectRequired,
    TokenUnreadable,
    Unavailable,
    UntrustedAnswer,
)
from .events import CursorStore, Event, Events, FileCursor, Resync
from .keys import Ed25519Key, Ed25519PublicKey, HmacKey
from .tokens import Token
from .version import __version__

__all__ = [
    "__version__",
    "AccountMismatch",
    "AuditUnavailable",
    "BrokerError",
    "BrokerMisconfigured",
    "BrokerUnreachable",
    "CallerForbidden",
    "claims_of",
    "ClaimsNotSatisfied",
    "Client",
    "ClockSkew",
    "Completion",
    "ConnectRefused",
    "ConnectSession",
    "ConnectSessionExpired",
    "CursorExpired",
    "DatabaseUnavailable",
    "Disconnect",
    "DisconnectStore",
    "Ed25519Key",
    "Ed25519PublicKey",
    "CursorStore",
    "Event",
    "Events",
    "EventsPage",
    "FileCursor",
    "FileDisconnects",
    "HmacKey",
    "IntegrationsPage",
    "InternalError",
    "InvalidRequest",
    "InvalidSignature",
    "MicrosoftUnavailable",
    "Frozen",
    "NotConnected",
    "NotFound",
    "RateLimited",
    "ReconnectRequired",
    "Resync",
    "Token",
    "TokenUnreadable",
    "Unavailable",
    "UntrustedAnswer",
]
