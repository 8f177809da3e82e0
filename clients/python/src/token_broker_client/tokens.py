"""Tokens, and a cache that keeps them for a short time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .answers import Account, Degraded
from .locks import ForkSafeLock

CACHE_SECONDS = 60
"""A cached token is handed out for this long without a call to the broker."""
MIN_SECONDS_LEFT = 30
"""A cached token must be valid for at least this long to be used while the broker cannot be reached."""
_MAX_TOKENS = 10_000


@dataclass(frozen=True)
class Token:
    """``access_token`` is for Microsoft Graph. The repr does not contain it. Never log or store it."""

    user_id: str
    access_token: str = field(repr=False)
    expires_at: str
    """RFC 3339."""
    expires_in: int
    """Seconds that were left when this object was made."""
    scope: str
    missing_scopes: list[str]
    generation: int
    account: Account
    """Empty for an imported user until the first refresh."""
    degraded: Degraded | None = None
    """Set if the token is valid but could not be refreshed."""
    excess_scopes: list[str] = field(default_factory=list[str])
    """Permissions that were granted and are not needed (any longer)."""

    @classmethod
    def from_answer(cls, body: dict[str, Any]) -> Token:
        """From the body of ``GET /tokens/:userId``."""
        return cls(
            user_id=body["user_id"],
            access_token=body["access_token"],
            expires_at=body["expires_at"],
            expires_in=body["expires_in"],
            scope=body["scope"],
            missing_scopes=body["missing_scopes"],
            generation=body["generation"],
            account=body.get("account") or Account(),
            degraded=body.get("degraded"),
            excess_scopes=body.get("excess_scopes") or [],
        )


_Use = tuple[object, str | None]
"""A scope, and what the token was fetched for."""


class TokenCache:
    """Keeps the newest token of each user. ``monotonic``: a clock in seconds. Safe to share between threads.

    ``scope``: the current one. A token that was fetched in another scope, or in none (None), is not fresh. Without
    ``scope`` all calls are in the same one.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        cache_seconds: float,
        scope: Callable[[], object | None] | None = None,
    ) -> None:
        self._monotonic, self._cache_seconds = monotonic, cache_seconds
        self._scope: Callable[[], object | None] = scope or (lambda: "all")
        self._tokens: OrderedDict[str, tuple[Token, float, dict[_Use, float]]] = OrderedDict()
        self._lock = ForkSafeLock()

    def put(self, token: Token, requested_at: float, context: str | None = None) -> None:
        """``requested_at``: when the request was sent. The token's age counts from there. ``context``: for what."""
        scope = self._scope()
        with self._lock:
            cached = self._tokens.get(token.user_id)
            # The answers to two threads may arrive in reverse order.
            if cached is not None and cached[0].generation > token.generation:
                return
            times = {} if cached is None or cached[0].generation < token.generation else dict(cached[2])
            if scope is not None:
                times[scope, context] = requested_at
            # Others are too old to be used again.
            young = {key: at for key, at in times.items() if requested_at - at < self._cache_seconds}
            self._tokens[token.user_id] = (token, requested_at, young)
            self._tokens.move_to_end(token.user_id)
            while len(self._tokens) > _MAX_TOKENS:
                self._tokens.popitem(last=False)

    def get_fresh(self, user_id: str, min_ttl: float, after: int = -1, context: str | None = None) -> Token | None:
        """A token that needs no call to the broker: it is young, has a generation later than ``after``, and is valid
        for more than ``min_ttl`` seconds. A read with a ``context`` must reach the broker's audit log, so only a token
        that was fetched for the same one will do."""
        found = self._with_age(user_id)
        if found is None:
            return None
        token, _, left, times = found
        scope = self._scope()
        fetched = [at for use, at in times.items() if use[0] == scope and context in (None, use[1])]
        if not fetched:
            return None
        age = self._monotonic() - max(fetched)
        # Some tenants issue short-lived tokens. The broker hands those out although they have less left than `min_ttl`.
        needed = min_ttl if token.expires_in > min_ttl else CACHE_SECONDS
        is_fresh = age < self._cache_seconds and left > needed and token.degraded is None and token.generation > after
        return replace(token, expires_in=int(left)) if is_fresh else None

    def get_valid(self, user_id: str) -> tuple[Token, float] | None:
        """A token that is valid for more than ``MIN_SECONDS_LEFT``, of any age, and its age in seconds."""
        found = self._with_age(user_id)
        if found is None or found[2] <= MIN_SECONDS_LEFT:
            return None
        return replace(found[0], expires_in=int(found[2])), found[1]

    def remove(self, user_id: str) -> None:
        with self._lock:
            self._tokens.pop(user_id, None)

    def remove_tenant(self, tenant_id: str) -> None:
        """Also tokens whose tenant is not known."""
        with self._lock:
            for user_id, (token, *_) in list(self._tokens.items()):
                if token.account.get("tenant_id", tenant_id).lower() == tenant_id.lower():
                    del self._tokens[user_id]

    def clear(self) -> None:
        with self._lock:
            self._tokens.clear()

    def tenant_of(self, user_id: str) -> str | None:
        with self._lock:
            found = self._tokens.get(user_id)
        return None if found is None else found[0].account.get("tenant_id")

    def _with_age(self, user_id: str) -> tuple[Token, float, float, dict[_Use, float]] | None:
        """Token, its age, the seconds it has left, and when it was fetched in which scope for which context."""
        with self._lock:
            found = self._tokens.get(user_id)
        if found is None:
            return None
        age = self._monotonic() - found[1]
        return found[0], age, found[0].expires_in - age, found[2]
