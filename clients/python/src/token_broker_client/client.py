"""The client of the broker's signed API. Its only state is a cache of tokens."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, TypeVar

from .answers import (
    Account,
    Completion,
    ConnectSession,
    ConnectSessionState,
    ConnectUrls,
    EventsPage,
    ImportResult,
    ImportRow,
    Integration,
    IntegrationsPage,
    Outcome,
    RawEvent,
)
from .breaker import OPEN_SECONDS, TimeStore
from .calls import NOT_ASKED, SignedCalls
from .challenges import Refusals
from .disconnects import Disconnect, DisconnectStore, utc_text
from .errors import BrokerUnreachable, DatabaseUnavailable, Frozen, NotConnected, RateLimited, ReconnectRequired
from .keys import Ed25519Key, HmacKey, VerificationKey
from .messages import Headers
from .signing import CONTEXT_HEADER
from .tokens import CACHE_SECONDS, Token, TokenCache
from .tracing import current_traceparent
from .transports import StandardTransport, Transport

T = TypeVar("T")
log = logging.getLogger("token_broker_client")

MEMORY_TIMEOUT_SECONDS = 1.0
"""How long a read waits for the broker if there is a valid token in memory."""
_USER_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_CONTEXT = re.compile(r"[A-Za-z0-9._:/@-]{1,256}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_CONNECT_SESSION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_TIME_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
_HANDLE = re.compile(r"[A-Za-z0-9_-]{43}")


class Client:
    """``url``: origin of the broker's internal listener. ``authority``: one of its INTERNAL_AUTHORITIES; the default
    is the host of ``url``.

    ``response_key``: the broker's public key, needed with an ``Ed25519Key``. ``verify=False`` uses answers without
    verification. ``timeout_seconds``: limit for a call with all its attempts; it counts for each read of an answer.
    ``cache_seconds``: how long a token is handed out again, at most 60. ``cache_scope``: returns the current request or
    job, and a token is handed out again only within the one that fetched it; with None never. ``may_use_memory``: asked
    with the user id and the time (seconds since the epoch) at which a token was fetched, before that token is used
    because the broker does not answer. ``disconnects``: where disconnects are recorded that ``Events`` repeats after a
    restore of the broker's database. ``breaker_seconds``: if nothing comes from the broker during a call, calls fail at
    once for so long; 0: never. ``breaker_store``: ``breaker.shared_time`` with a name of your own, so that the
    processes of a machine share it. All methods raise ``BrokerError``. Threads may share a client, and a child process
    may use it after a fork.
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
        timeout_seconds: float = 9.0,
        cache_seconds: float = CACHE_SECONDS,
        cache_scope: Callable[[], object | None] | None = None,
        may_use_memory: Callable[[str, float], bool] | None = None,
        disconnects: DisconnectStore | None = None,
        breaker_seconds: float = OPEN_SECONDS,
        breaker_store: TimeStore | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if response_key is None and isinstance(key, HmacKey):
            response_key = key
        if verify and response_key is None:
            raise ValueError("an Ed25519 key needs response_key, the broker's public key, to verify answers")
        self._timeout_seconds, self._monotonic, self._clock = timeout_seconds, monotonic, clock
        self._may_use_memory = may_use_memory
        self._key_id = key.key_id
        self.disconnects = disconnects
        self._calls = SignedCalls(
            url,
            authority,
            key,
            response_key if verify else None,
            transport or StandardTransport(),
            clock,
            monotonic,
            sleep,
            breaker_seconds,
            breaker_store,
        )
        self._cache = TokenCache(monotonic, min(cache_seconds, CACHE_SECONDS), cache_scope)

    # ---- Tokens ----

    def get_token(
        self,
        user_id: str,
        *,
        min_ttl: int = 300,
        timeout_seconds: float | None = None,
        context: str | None = None,
        traceparent: str | None = None,
    ) -> Token:
        """A usable token, with more than ``min_ttl`` seconds left if Microsoft allows it.

        A token that was fetched less than a minute ago comes from the cache. So does a token that is still valid if the
        broker does not answer within a second, or did not answer a moment ago; ``degraded`` is set then.

        ``context``: what the token is for, such as ``document:4711``; 1 to 256 of ``A-Z a-z 0-9 . _ : / @ -``. It is
        signed, and stands in the broker's audit log. A cached token is used only for the context for which it was
        fetched. ``traceparent``: W3C Trace Context; default: the current span of OpenTelemetry, if it is installed.
        """
        headers = _headers(context, traceparent)
        cached = self._cache.get_fresh(user_id, min_ttl, context=context)
        if cached is not None:
            return cached
        limit = timeout_seconds or self._timeout_seconds
        if timeout_seconds is None and self._cache.get_valid(user_id) is not None:
            limit = min(limit, MEMORY_TIMEOUT_SECONDS)
        target = f"{_tokens_path(user_id)}?min_ttl={min_ttl}&{_deadline_query(limit)}"
        try:
            return self._fetch("GET", target, None, user_id, limit, headers, context)
        except (BrokerUnreachable, DatabaseUnavailable, RateLimited) as failure:
            valid = self._valid_in_memory(user_id)
            if valid is None:
                raise
            if failure.detail != NOT_ASKED:
                log.warning("a token in memory is used: code=%s request_id=%s", failure.code, failure.request_id)
            return replace(valid, degraded={"reason": failure.code})

    def _valid_in_memory(self, user_id: str) -> Token | None:
        found = self._cache.get_valid(user_id)
        if found is None:
            return None
        token, age = found
        if self._may_use_memory is not None and not self._may_use_memory(user_id, self._clock() - age):
            self._cache.remove(user_id)
            return None
        return token

    def refresh(
        self,
        token: Token,
        *,
        claims: str | None = None,
        timeout_seconds: float | None = None,
        context: str | None = None,
        traceparent: str | None = None,
    ) -> Token:
        """A token of a later generation. Call it after Graph answered 401 to this token.

        ``claims``: the claims challenge of that answer, as it came (``claims_of``). If Microsoft wants the user for it,
        this raises ``ReconnectRequired``, and the next connect asks for it. If new tokens do not help either, it raises
        ``ClaimsNotSatisfied``.

        Any number of simultaneous calls cost one refresh at Microsoft. ``context`` and ``traceparent``: see
        ``get_token``.
        """
        headers = _headers(context, traceparent)
        # Only the broker knows whether a token satisfies a challenge.
        cached = (
            self._cache.get_fresh(token.user_id, 0, after=token.generation, context=context) if claims is None else None
        )
        if cached is not None:
            return cached
        self._cache.remove(token.user_id)
        limit = timeout_seconds or self._timeout_seconds
        target = f"{_tokens_path(token.user_id)}/refresh?{_deadline_query(limit)}"
        body: dict[str, Any] = {"generation": token.generation, **({} if claims is None else {"claims": claims})}
        return self._fetch("POST", target, body, token.user_id, limit, headers, context)

    def with_token(
        self,
        user_id: str,
        work: Callable[[str], T],
        is_unauthorized: Callable[[Exception], bool],
        *,
        context: str | None = None,
        traceparent: str | None = None,
    ) -> T:
        """Calls ``work`` with an access token. If it raises and ``is_unauthorized`` is true for the exception (Graph
        answered 401), calls it once more with a token of a later generation. A claims challenge in the exception is
        passed on to the broker; also one that comes only at the second call. Raises what ``work`` raises, and
        ``BrokerError``."""
        options: dict[str, Any] = {"context": context, "traceparent": traceparent}
        token, refusals = self.get_token(user_id, **options), Refusals(is_unauthorized)
        while True:
            try:
                return work(token.access_token)
            except Exception as error:
                if not refusals.may_repeat(error):
                    raise
            token = self.refresh(token, claims=refusals.claims, **options)

    async def awith_token(
        self,
        user_id: str,
        work: Callable[[str], Awaitable[T]],
        is_unauthorized: Callable[[Exception], bool],
        *,
        context: str | None = None,
        traceparent: str | None = None,
        run: Callable[..., Awaitable[Any]] = asyncio.to_thread,
    ) -> T:
        """As ``with_token``, for a coroutine function. The calls to the broker run in a thread, with ``run``."""
        # The span of the caller is not current in the thread.
        trace = current_traceparent() if traceparent is None else traceparent
        options: dict[str, Any] = {"context": context, "traceparent": trace}
        token, refusals = await run(self.get_token, user_id, **options), Refusals(is_unauthorized)
        while True:
            try:
                return await work(token.access_token)
            except Exception as error:
                if not refusals.may_repeat(error):
                    raise
            token = await run(self.refresh, token, claims=refusals.claims, **options)

    def _fetch(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None,
        user_id: str,
        timeout_seconds: float,
        headers: Headers,
        context: str | None,
    ) -> Token:
        requested_at = self._monotonic()
        try:
            token = Token.from_answer(self._calls.call(method, target, body, timeout_seconds, headers))
        except Frozen as failure:
            self._forget_frozen(failure, user_id)
            raise
        except (NotConnected, ReconnectRequired):
            self._cache.remove(user_id)
            raise
        self._cache.put(token, requested_at, context)
        return token

    def _forget_frozen(self, failure: Frozen, user_id: str) -> None:
        tenant = self._cache.tenant_of(user_id)
        self._cache.remove(user_id)
        if failure.reason == "tenant_frozen" and tenant is not None:
            self._cache.remove_tenant(tenant)
        elif failure.reason not in ("user_frozen", "tenant_frozen"):
            self._cache.clear()

    def forget_frozen(self, event: RawEvent) -> None:
        """Forgets the tokens that an event ``frozen`` concerns. ``Events`` calls it for each event that it reads;
        call it yourself in other processes, which hold a token for up to a minute. Other events change nothing."""
        if event.get("type") != "frozen":
            return
        freeze = event.get("freeze")
        scope, value = (None, None) if freeze is None else (freeze.get("scope"), str(freeze.get("value")))
        if scope == "user" and value is not None:
            self._cache.remove(value)
        elif scope == "tenant" and value is not None:
            self._cache.remove_tenant(value)
        elif scope != "caller_key" or value == self._key_id:
            self._cache.clear()

    # ---- Connect ----

    def begin_connect(
        self,
        user_id: str,
        *,
        intent: str = "connect",
        allow_account_switch: bool = False,
        locale: str | None = None,
        time_zone: str | None = None,
    ) -> ConnectSession:
        """Begins an attempt to connect. With ``intent="manage"`` it opens the account page. Send the browser to
        ``url``.

        ``locale`` (BCP 47, such as ``de-AT``) and ``time_zone`` (IANA, such as ``Europe/Vienna``) of the user, for the
        broker's pages. None, or not of that form: the browser decides."""
        body: dict[str, Any] = {
            "user_id": _user(user_id),
            "intent": intent,
            "allow_account_switch": allow_account_switch,
        }
        # A page in another language is no reason to fail.
        if locale is not None and len(locale) <= 35 and _LOCALE.fullmatch(locale):
            body["locale"] = locale
        if time_zone is not None and len(time_zone) <= 64 and _TIME_ZONE.fullmatch(time_zone):
            body["time_zone"] = time_zone
        answer = self._call("POST", "/connect-sessions", body)
        return ConnectSession(answer["id"], answer["url"], answer["expires_at"])

    def complete_connect(self, connect_session_id: str, user_id: str, handle: str) -> Completion:
        """Completes an attempt. Call it when the browser came back with an id that this user's own session began.

        ``connect_session_id`` and ``handle`` are ``connect_session`` and ``handle`` of the address that the browser
        came with. On failure, send the user to ``next`` of the exception, if it has one.
        """
        body = {"user_id": _user(user_id), "handle": _handle(handle)}
        # Microsoft may take long. A broker that hangs is found out before that time is given to it.
        self.get_connect_session(connect_session_id)
        target = f"{_connect_session_path(connect_session_id)}/complete"
        limit = max(self._timeout_seconds, 20)
        answer = self._call("POST", target, body, timeout_seconds=limit)
        self._cache.remove(user_id)
        session: ConnectSessionState = answer["session"]
        outcome = session.get("outcome") or Outcome()
        return Completion(outcome.get("result", "connected"), outcome.get("account") or Account(), answer["next"])

    def end_connect(self, connect_session_id: str, handle: str) -> None:
        """Ends an attempt whose browser came back to a login that did not begin it: nobody can complete it then.

        Succeeds also if there is nothing to end. Call it for a logged-in user only: a visitor who was logged out may
        be the one who began.
        """
        self._call("DELETE", f"{_connect_session_path(connect_session_id)}?handle={_handle(handle)}")

    def get_connect_session(
        self, connect_session_id: str, *, timeout_seconds: float | None = None
    ) -> ConnectSessionState:
        """The state of an attempt, also of one from which the browser never came back."""
        path = _connect_session_path(connect_session_id)
        answer: ConnectSessionState = self._call("GET", path, timeout_seconds=timeout_seconds)
        return answer

    def get_connect_urls(self) -> ConnectUrls:
        """Where the broker sends browsers, by its configuration: to compare it with the application's own pages."""
        answer = self._call("GET", "/connect-urls")
        return ConnectUrls(answer["connect_url"], answer["manage_url"], answer["completion_url"])

    def which_listener(self) -> str | None:
        """``public`` or ``operations``, if ``url`` is that of another listener of the broker. For checks."""
        return self._calls.which_listener()

    # ---- Integrations ----

    def get_integration(self, user_id: str, *, timeout_seconds: float | None = None) -> Integration | None:
        """The user's stored authorization and whether it works. None: the user is not connected."""
        try:
            path = f"/integrations/{_user(user_id)}"
            answer: Integration = self._call("GET", path, timeout_seconds=timeout_seconds)
            return answer
        except NotConnected:
            return None

    def disconnect(self, user_id: str, *, connected_before: str | None = None) -> None:
        """Deletes the user's tokens at once. Succeeds also if the user is not connected.

        ``connected_before`` (RFC 3339, UTC): repeats a disconnect of that time. What was connected later stays.
        """
        self._cache.remove(user_id)
        if connected_before is not None:
            if not _UTC_TIME.fullmatch(connected_before):
                raise ValueError("connected_before is a time like 2026-11-28T07:00:00.123456Z")
            self._call("DELETE", f"/integrations/{_user(user_id)}?connected_before={connected_before}")
            return
        self._call("DELETE", f"/integrations/{_user(user_id)}")
        if self.disconnects is not None:
            at = datetime.fromtimestamp(self._calls.broker_time(), timezone.utc)
            self.disconnects.record(Disconnect(user_id, utc_text(at), False))

    def end_browser_sessions(self, user_id: str, *, timeout_seconds: float | None = None) -> None:
        """Ends the user's sessions on the broker's pages. Call it when the user logs out."""
        self._call("DELETE", f"/browser-sessions/{_user(user_id)}", timeout_seconds=timeout_seconds)

    def list_integrations(self, after: str | None = None, limit: int = 100) -> IntegrationsPage:
        """One page of all integrations, by user id. ``after``: the ``next`` of the page before."""
        answer = self._call("GET", f"/integrations?limit={limit}" + ("" if after is None else f"&after={_user(after)}"))
        return IntegrationsPage(answer["integrations"], answer.get("next"), answer["events_cursor"])

    def read_events(self, after: str | None = None, limit: int = 100, wait_seconds: int = 0) -> EventsPage:
        """One page of events after the cursor. ``wait_seconds`` (at most 25): how long to wait for the first event.
        ``Events`` is an iterator over all pages."""
        target = f"/events?limit={limit}&wait={wait_seconds}" + ("" if after is None else f"&after={after}")
        answer = self._call("GET", target, timeout_seconds=self._timeout_seconds + wait_seconds)
        return EventsPage(answer["events"], answer["cursor"], answer["more"])

    def import_rows(self, rows: Sequence[ImportRow], *, dry_run: bool = False) -> list[ImportResult]:
        """Imports up to 500 rows, and returns one result for each. Repeating it changes nothing."""
        body = {"rows": list(rows), "dry_run": dry_run}
        limit = max(self._timeout_seconds, 60)
        answer = self._call("POST", "/integrations/import", body, timeout_seconds=limit)
        results: list[ImportResult] = answer["results"]
        return results

    def _call(
        self, method: str, target: str, body: dict[str, Any] | None = None, timeout_seconds: float | None = None
    ) -> Any:
        return self._calls.call(method, target, body, timeout_seconds or self._timeout_seconds)


def _headers(context: str | None, traceparent: str | None) -> Headers:
    if context is not None and not _CONTEXT.fullmatch(context):
        raise ValueError("a context has 1 to 256 characters of A-Z a-z 0-9 . _ : / @ -")
    headers = [] if context is None else [(CONTEXT_HEADER, context)]
    trace = current_traceparent() if traceparent is None else traceparent
    # A trace helps to find a request. A wrong one is no reason to fail.
    if trace is not None and _TRACEPARENT.fullmatch(trace):
        headers.append(("traceparent", trace))
    return tuple(headers)


def _user(user_id: str) -> str:
    # HTTP libraries and proxies remove a path segment that consists of dots.
    if not _USER_ID.fullmatch(user_id) or user_id in (".", ".."):
        raise ValueError("a user id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and is not . or ..")
    return user_id


def _connect_session_path(connect_session_id: str) -> str:
    if not _CONNECT_SESSION_ID.fullmatch(connect_session_id):
        raise ValueError("this is not the id of a connect session")
    return f"/connect-sessions/{connect_session_id}"


def is_come_back(connect_session_id: str, handle: str) -> bool:
    """Whether both have the form that the broker gives them."""
    return bool(_CONNECT_SESSION_ID.fullmatch(connect_session_id) and _HANDLE.fullmatch(handle))


def _handle(handle: str) -> str:
    if not _HANDLE.fullmatch(handle):
        raise ValueError("this is not the handle of a connect session")
    return handle


def _tokens_path(user_id: str) -> str:
    return f"/tokens/{_user(user_id)}"


def _deadline_query(timeout_seconds: float) -> str:
    """How long the broker may take, so that its answer arrives in time."""
    spare = min(1.0, timeout_seconds / 5)
    return f"deadline_ms={int(min(max(timeout_seconds - spare, 0.1), 30) * 1000)}"
