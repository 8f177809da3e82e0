"""Tokens, and the short memory for them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

KEEP_FOR = 60
"""Seconds a token is handed out again without asking the broker."""
STILL_GOOD = 30
"""Seconds of life a token must have left to be of use when the broker cannot be reached."""
_MOST = 10_000


@dataclass(frozen=True)
class Token:
    """``access_token`` is for Microsoft Graph; it is not in the repr. Never log or store it."""

    user_id: str
    access_token: str = field(repr=False)
    expires_at: str
    expires_in: int
    """Seconds that were left when this object was made."""
    scope: str
    missing_scopes: list[str]
    generation: int
    account: dict[str, str]
    """``tenant_id``, ``object_id``, ``username``; empty until the first refresh of an imported user."""
    degraded: dict[str, Any] | None = None
    """The token works, but could not be refreshed: ``reason``, perhaps ``retry_after``."""

    @classmethod
    def of(cls, body: dict[str, Any]) -> Token:
        return cls(
            user_id=body["user_id"],
            access_token=body["access_token"],
            expires_at=body["expires_at"],
            expires_in=body["expires_in"],
            scope=body["scope"],
            missing_scopes=body["missing_scopes"],
            generation=body["generation"],
            account=body.get("account") or {},
            degraded=body.get("degraded"),
        )


class TokenMemory:
    """``monotonic`` in seconds. A token's age counts from before it was asked for."""

    def __init__(self, monotonic: Callable[[], float], keep_for: float) -> None:
        self._monotonic, self._keep_for = monotonic, keep_for
        self._tokens: OrderedDict[str, tuple[Token, float]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, token: Token, asked_at: float) -> None:
        with self._lock:
            known = self._tokens.get(token.user_id)
            # Two threads may bring their answers in the other order.
            if known is not None and known[0].generation > token.generation:
                return
            self._tokens[token.user_id] = (token, asked_at)
            self._tokens.move_to_end(token.user_id)
            while len(self._tokens) > _MOST:
                self._tokens.popitem(last=False)

    def fresh(self, user_id: str, min_ttl: float, after: int = -1) -> Token | None:
        """One that may be handed out without asking: young, of a generation later than ``after``, with life enough."""
        found = self._aged(user_id)
        if found is None:
            return None
        token, age, left = found
        # Of a tenant with short tokens the broker hands out some with less than was asked for.
        enough = min_ttl if token.expires_in > min_ttl else KEEP_FOR
        return (
            _now(token, left)
            if age < self._keep_for and left > enough and token.degraded is None and token.generation > after
            else None
        )

    def still_good(self, user_id: str) -> Token | None:
        found = self._aged(user_id)
        return _now(found[0], found[2]) if found is not None and found[2] > STILL_GOOD else None

    def forget(self, user_id: str) -> None:
        with self._lock:
            self._tokens.pop(user_id, None)

    def _aged(self, user_id: str) -> tuple[Token, float, float] | None:
        with self._lock:
            found = self._tokens.get(user_id)
        if found is None:
            return None
        age = self._monotonic() - found[1]
        return found[0], age, found[0].expires_in - age


def _now(token: Token, left: float) -> Token:
    return replace(token, expires_in=int(left))
