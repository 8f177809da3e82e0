"""The client: what an application asks of the broker. It holds no state but a short memory for tokens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .calls import Calls
from .errors import BrokerUnreachable, DatabaseUnavailable, NotConnected, RateLimited, ReconnectRequired
from .keys import Ed25519Key, HmacKey, VerificationKey
from .tokens import KEEP_FOR, Token, TokenMemory
from .transports import StandardTransport, Transport

_USER_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_SESSION_ID = re.compile(r"[0-9a-f-]{36}")


@dataclass(frozen=True)
class ConnectSession:
    id: str
    """Only the user's own session may complete it. Keep a keyed digest of it there: a session in a signed cookie is readable by its user,
    and with the id they could complete what somebody else approved."""
    url: str
    """Where to send the browser. A secret until it is used."""
    expires_at: str


@dataclass(frozen=True)
class Completion:
    result: str
    """``connected`` or ``reconnected``."""
    account: dict[str, str]
    next: str
    """The broker's page that tells the user."""


@dataclass(frozen=True)
class IntegrationsPage:
    integrations: list[dict[str, Any]]
    next: str | None
    events_cursor: str


@dataclass(frozen=True)
class EventsPage:
    events: list[dict[str, Any]]
    cursor: str
    more: bool


class Client:
    """``url``: origin of the broker's internal listener. ``authority``: one of its INTERNAL_AUTHORITIES, where that is not the URL's host.

    ``response_key``: the broker's public key, needed with an ``Ed25519Key``; ``verify=False`` takes answers unproven. ``deadline``: seconds
    that a call takes at most, all its attempts together, counted for each read of an answer. All methods raise ``BrokerError``; the client may be shared between threads.
    """

    def __init__(
        self,
        url: str,
        key: HmacKey | Ed25519Key,
        *,
        authority: str | None = None,
        response_key: VerificationKey | None = None,
        verify: bool = True,
        transport: Transport | None = None,
        deadline: float = 9.0,
        keep_tokens_for: float = KEEP_FOR,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if response_key is None and isinstance(key, HmacKey):
            response_key = key
        if verify and response_key is None:
            raise ValueError(
                "answers to an Ed25519 key are verified with the broker's public key: give it as response_key"
            )
        self._deadline, self._monotonic = deadline, monotonic
        self._calls = Calls(
            url,
            authority,
            key,
            response_key if verify else None,
            transport or StandardTransport(),
            clock,
            monotonic,
            sleep,
        )
        self._memory = TokenMemory(monotonic, min(keep_tokens_for, KEEP_FOR))

    # ---- Tokens ----

    def get_token(self, user_id: str, *, min_ttl: int = 300, deadline: float | None = None) -> Token:
        """A usable token with more than ``min_ttl`` seconds left where that can be had. One that was fetched less than a minute ago is
        handed out again; one that is still valid also when the broker cannot be reached (then ``degraded`` says so)."""
        kept = self._memory.fresh(user_id, min_ttl)
        if kept is not None:
            return kept
        limit = deadline or self._deadline
        try:
            return self._fetch("GET", f"{_tokens(user_id)}?min_ttl={min_ttl}&{_patience(limit)}", None, user_id, limit)
        except (BrokerUnreachable, DatabaseUnavailable, RateLimited) as failure:
            left = self._memory.still_good(user_id)
            if left is None:
                raise
            return replace(left, degraded={"reason": failure.code})

    def refresh(self, token: Token, *, deadline: float | None = None) -> Token:
        """After Graph's 401 for this token: one of a later generation. However many ask at once, it costs one refresh."""
        kept = self._memory.fresh(token.user_id, 0, after=token.generation)
        if kept is not None:
            return kept
        self._memory.forget(token.user_id)
        limit = deadline or self._deadline
        return self._fetch(
            "POST",
            f"{_tokens(token.user_id)}/refresh?{_patience(limit)}",
            {"generation": token.generation},
            token.user_id,
            limit,
        )

    def _fetch(self, method: str, target: str, body: dict[str, Any] | None, user_id: str, deadline: float) -> Token:
        asked_at = self._monotonic()
        try:
            token = Token.of(self._calls.call(method, target, body, deadline))
        except (NotConnected, ReconnectRequired):
            self._memory.forget(user_id)
            raise
        self._memory.keep(token, asked_at)
        return token

    # ---- Connecting ----

    def begin_connect(
        self, user_id: str, *, intent: str = "connect", allow_account_switch: bool = False
    ) -> ConnectSession:
        """Begins an attempt to connect, or with ``intent="manage"`` opens the account page: send the browser to ``url``."""
        body = {"user_id": _user(user_id), "intent": intent, "allow_account_switch": allow_account_switch}
        answer = self._call("POST", "/connect-sessions", body)
        return ConnectSession(answer["id"], answer["url"], answer["expires_at"])

    def complete(self, connect_session: str, user_id: str) -> Completion:
        """The browser came back, and the id is one of this user's own session. A failure's ``next`` is where to send the user."""
        answer = self._call(
            "POST",
            f"{_session(connect_session)}/complete",
            {"user_id": _user(user_id)},
            deadline=max(self._deadline, 20),
        )
        self._memory.forget(user_id)
        outcome = answer["session"].get("outcome") or {}
        return Completion(outcome.get("result", "connected"), outcome.get("account") or {}, answer["next"])

    def connect_session(self, connect_session: str) -> dict[str, Any]:
        """How an attempt went, also one that never came back."""
        answer: dict[str, Any] = self._call("GET", _session(connect_session))
        return answer

    # ---- What is connected ----

    def integration(self, user_id: str, *, deadline: float | None = None) -> dict[str, Any] | None:
        """What is connected and whether it works; None: nothing is."""
        try:
            answer: dict[str, Any] = self._call("GET", f"/integrations/{_user(user_id)}", deadline=deadline)
            return answer
        except NotConnected:
            return None

    def disconnect(self, user_id: str) -> None:
        """Deletes what is stored, at once. Also right where nothing is."""
        self._memory.forget(user_id)
        self._call("DELETE", f"/integrations/{_user(user_id)}")

    def end_browser_sessions(self, user_id: str, *, deadline: float | None = None) -> None:
        """The user has logged out."""
        self._call("DELETE", f"/browser-sessions/{_user(user_id)}", deadline=deadline)

    def list_integrations(self, after: str | None = None, limit: int = 100) -> IntegrationsPage:
        answer = self._call("GET", f"/integrations?limit={limit}" + ("" if after is None else f"&after={_user(after)}"))
        return IntegrationsPage(answer["integrations"], answer.get("next"), answer["events_cursor"])

    def read_events(self, after: str | None = None, limit: int = 100, wait: int = 0) -> EventsPage:
        """One page behind the cursor; ``wait``: seconds (at most 25) for the first event to come. See ``Events`` for an iterator."""
        target = f"/events?limit={limit}&wait={wait}" + ("" if after is None else f"&after={after}")
        answer = self._call("GET", target, deadline=self._deadline + wait)
        return EventsPage(answer["events"], answer["cursor"], answer["more"])

    def import_rows(self, rows: Sequence[dict[str, Any]], *, dry_run: bool = False) -> list[dict[str, Any]]:
        """Hands up to 500 rows over, one result for each. May be repeated: what is stored already is left."""
        answer = self._call(
            "POST", "/integrations/import", {"rows": list(rows), "dry_run": dry_run}, deadline=max(self._deadline, 60)
        )
        results: list[dict[str, Any]] = answer["results"]
        return results

    def _call(self, method: str, target: str, body: dict[str, Any] | None = None, deadline: float | None = None) -> Any:
        return self._calls.call(method, target, body, deadline or self._deadline)


def _user(user_id: str) -> str:
    # A path segment of dots alone would be folded away by HTTP libraries and proxies.
    if not _USER_ID.fullmatch(user_id) or user_id in (".", ".."):
        raise ValueError("a user id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -")
    return user_id


def _session(connect_session: str) -> str:
    if not _SESSION_ID.fullmatch(connect_session):
        raise ValueError("this is not the id of a connect session")
    return f"/connect-sessions/{connect_session}"


def _tokens(user_id: str) -> str:
    return f"/tokens/{_user(user_id)}"


def _patience(deadline: float) -> str:
    """What the broker may take, so that its answer is back within the deadline (s)."""
    return f"deadline_ms={int(min(max(deadline - 1, 0.1), 30) * 1000)}"
