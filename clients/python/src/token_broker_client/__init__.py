"""Client of the token broker: Microsoft access tokens for an application's users.

``Client.get_token(user_id)`` is the call to know, ``Client.refresh(token)`` the one after Microsoft Graph's 401. Every
failure is a subclass of ``BrokerError``. This package knows the broker's signed API and nothing of Microsoft's protocol.
"""

from .client import Client, Completion, ConnectSession
from .errors import (
    AccountMismatch,
    BrokerError,
    BrokerMisconfigured,
    BrokerUnreachable,
    CallerForbidden,
    ClockSkew,
    ConnectRefused,
    ConnectSessionExpired,
    CursorExpired,
    DatabaseUnavailable,
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
from .events import Event, Events, FileCursor, Resync
from .keys import Ed25519Key, Ed25519PublicKey, HmacKey
from .tokens import Token

__all__ = [
    "AccountMismatch",
    "BrokerError",
    "BrokerMisconfigured",
    "BrokerUnreachable",
    "CallerForbidden",
    "Client",
    "ClockSkew",
    "Completion",
    "ConnectRefused",
    "ConnectSession",
    "ConnectSessionExpired",
    "CursorExpired",
    "DatabaseUnavailable",
    "Ed25519Key",
    "Ed25519PublicKey",
    "Event",
    "Events",
    "FileCursor",
    "HmacKey",
    "InternalError",
    "InvalidRequest",
    "InvalidSignature",
    "MicrosoftUnavailable",
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
