"""The routes of the fake broker (``testing.FakeBroker``)."""

from __future__ import annotations

import base64
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from .answers import Account, ConnectUrls, Degraded, Failure, ImportResult, ImportRow, Outcome, RawEvent, Trouble
from .disconnects import time_of, utc_text
from .messages import Request

Answer = tuple[int, dict[str, Any] | None]
"""Status and body."""

TENANT_ID = "9d2f1a44-58c6-4a0b-8f3a-6b1c2d3e4f50"
OBJECT_ID = "0b6f7c1e-3a5d-4e9b-9c8a-7d6e5f4a3b2c"
USERNAME = "jane@contoso.com"
SCOPES = ("Files.ReadWrite.All", "User.Read")
KEY_ID = "fake"
_FROZEN_ADVICE = "Access is paused. Nothing was deleted."
_NOT_SATISFIED = {
    "reason": "challenge_repeated",
    "who_acts": "ops",
    "advice": "Microsoft goes on refusing the new tokens of this user.",
    "retry_after": 600,
}
_STATUS = {
    "frozen": 403,
    "not_connected": 404,
    "not_found": 404,
    "reconnect_required": 409,
    "account_mismatch": 409,
    "claims_not_satisfied": 409,
    "invalid_request": 422,
    "connect_refused": 409,
    "connect_session_expired": 410,
    "cursor_expired": 410,
}


def now() -> str:
    return utc_text(datetime.now(timezone.utc))


def account_of(username: str) -> Account:
    """The same name is the same account."""
    object_id = OBJECT_ID if username == USERNAME else str(uuid.uuid5(uuid.NAMESPACE_DNS, username))
    return Account(tenant_id=TENANT_ID, object_id=object_id, username=username)


@dataclass
class State:
    """What the fake broker has stored."""

    url: str
    users: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    handles: dict[str, str] = field(default_factory=dict[str, str])
    accounts: dict[str, str] = field(default_factory=dict[str, str])
    """With which account the user of a connect session signed in at Microsoft."""
    ended_browser_sessions: list[str] = field(default_factory=list[str])
    claims: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    unsatisfied: set[str] = field(default_factory=set[str])
    freezes: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Scope and value of each freeze, with its id."""
    disconnected_at: dict[str, str] = field(default_factory=dict[str, str])
    events: list[RawEvent] = field(default_factory=list[RawEvent])
    generation: int = 0
    connect_urls: ConnectUrls | None = None

    def event(self, kind: str, user_id: str, **members: Any) -> None:
        base: Any = {"id": len(self.events) + 1, "at": now(), "user_id": user_id, "type": kind, **members}
        self.events.append(base)

    def connect(
        self, user_id: str, account: Account, missing_scopes: list[str] | None = None, kind: str | None = None
    ) -> int:
        self.generation += 1
        kind = kind or ("reconnected" if user_id in self.users else "connected")
        self.users[user_id] = {
            "generation": self.generation,
            "account": account,
            "connected_at": now(),
            "missing_scopes": missing_scopes or [],
        }
        self.event(kind, user_id)
        return self.generation

    def disconnect(self, user_id: str) -> None:
        self.disconnected_at[user_id] = now()
        self.users.pop(user_id, None)
        self.event("disconnected", user_id)

    def frozen(self, user_id: str) -> Trouble | None:
        user = self.users.get(user_id)
        tenant = "" if user is None else user["account"].get("tenant_id", "")
        for scope, value in (("caller_key", KEY_ID), ("user", user_id), ("tenant", tenant)):
            if (scope, value) in self.freezes:
                return Trouble(reason=f"{scope}_frozen", who_acts="ops", advice=_FROZEN_ADVICE)
        return None


class Routes:
    def __init__(self, state: State) -> None:
        self._state = state

    def answer(self, request: Request) -> Answer:
        parts = urlsplit(request.target)
        segments = parts.path.strip("/").split("/")
        body: dict[str, Any] = json.loads(request.body) if request.body else {}
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if ("caller_key", KEY_ID) in self._state.freezes:
            return problem("frozen", reason="caller_key_frozen", who_acts="ops", advice=_FROZEN_ADVICE)
        route = {
            "tokens": self._token,
            "integrations": self._integrations,
            "browser-sessions": self._browser_sessions,
            "connect-sessions": self._connect_sessions,
            "connect-urls": self._connect_urls,
            "events": self._events,
        }.get(segments[0])
        return problem("not_found") if route is None else route(request.method, segments[1:], query, body)

    def _token(self, method: str, segments: list[str], query: dict[str, str], body: dict[str, Any]) -> Answer:
        state, user_id = self._state, segments[0]
        user = state.users.get(user_id)
        claims: str | None = body.get("claims")
        if claims is not None:
            asked = read_claims(claims)
            if asked is None:
                return problem("invalid_request", invalid=[{"field": "body.claims", "expected": "a claims challenge"}])
            state.claims.append(asked)
        if user is None:
            return problem("not_connected")
        frozen = state.frozen(user_id)
        if frozen is not None:
            return problem("frozen", **frozen)
        if claims is not None and user_id in state.unsatisfied:
            return problem("claims_not_satisfied", **_NOT_SATISFIED)
        if "failure" in user:
            is_for_admin = user["failure"]["who_acts"] == "tenant_admin"
            url = {"admin_consent_url": f"{state.url}/admin-consent"} if is_for_admin else {}
            return problem("reconnect_required", **user["failure"], **url)
        after: int | None = body.get("generation")
        trouble = user.get("trouble")
        if after is not None and user["generation"] <= after:
            if trouble is not None:
                return 503, {"code": "microsoft_unavailable", "status": 503, "retry_after": 30, **trouble}
            state.generation += 1
            user["generation"] = state.generation
        degraded = {} if trouble is None else {"degraded": Degraded(reason=trouble["reason"], retry_after=30)}
        return 200, {
            "user_id": user_id,
            "access_token": f"fake-token-{user_id}-{user['generation']}",
            "token_type": "Bearer",
            "expires_at": "2099-01-01T00:00:00Z",
            "expires_in": 3600,
            **_scopes(user),
            "generation": user["generation"],
            "account": user["account"],
            **degraded,
        }

    def _integrations(self, method: str, segments: list[str], query: dict[str, str], body: dict[str, Any]) -> Answer:
        state = self._state
        if not segments:
            return self._list(query)
        if method == "POST":
            rows = cast("list[ImportRow]", body["rows"])
            return 200, {"results": [self._import(number, row, body["dry_run"]) for number, row in enumerate(rows)]}
        user = state.users.get(segments[0])
        if method == "DELETE":
            if user is None:
                state.disconnected_at[segments[0]] = now()
            elif user["connected_at"] < query.get("connected_before", "9999"):
                state.disconnect(segments[0])
            return 204, None
        return problem("not_connected") if user is None else (200, self._integration(segments[0], user))

    def _list(self, query: dict[str, str]) -> Answer:
        limit, after = int(query.get("limit", "100")), query.get("after", "")
        found = [user_id for user_id in sorted(self._state.users) if user_id > after]
        more = {"next": found[limit - 1]} if len(found) > limit else {}
        return 200, {
            "integrations": [self._integration(user_id, self._state.users[user_id]) for user_id in found[:limit]],
            "events_cursor": _cursor(len(self._state.events)),
            **more,
        }

    def _integration(self, user_id: str, user: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {
            "user_id": user_id,
            "status": "reconnect_required" if "failure" in user else "active",
            "generation": user["generation"],
            "account": user["account"],
            **_scopes(user),
            "connected_at": user["connected_at"],
            "refreshed_at": "2026-01-01T00:00:00Z",
            "access_token_expires_at": "2099-01-01T00:00:00Z",
        }
        why: Failure | None = user.get("failure") or user.get("trouble")
        if why is not None:
            microsoft: dict[str, Any] = {"microsoft": {}}
            found["failure"] = {**microsoft, **why, "final": "failure" in user}
        frozen = self._state.frozen(user_id)
        return found if frozen is None else {**found, "frozen": frozen}

    def _import(self, number: int, row: ImportRow, dry_run: bool) -> ImportResult:
        state, user_id = self._state, row.get("user_id")
        written = row.get("updated_at")
        reasons = [f"{name}: missing" for name in ("user_id", "updated_at") if not row.get(name)]
        if reasons or not user_id or not written:
            return ImportResult(row=number, result="invalid", reasons=reasons)
        user, token = state.users.get(user_id), (row.get("refresh_token") or "").strip()
        scopes = row.get("scopes") or []
        granted = scopes.split() if isinstance(scopes, str) else scopes
        skip = None
        if not token:
            skip = "no_refresh_token"
        elif granted and not set(granted) & set(SCOPES):
            skip = "no_needed_scope"
        elif user_id in state.disconnected_at and time_of(state.disconnected_at[user_id]) > time_of(written):
            skip = "disconnected_since"
        elif user is not None and "imported" not in user:
            skip = "connected_through_broker"
        elif user is not None and time_of(user["imported"][1]) > time_of(written):
            skip = "newer_stored"
        if skip is not None:
            return ImportResult(row=number, user_id=user_id, result="skipped", reason=skip)
        if user is not None and user["imported"] == (token, written):
            return ImportResult(row=number, user_id=user_id, result="unchanged", generation=user["generation"])
        if dry_run:
            return ImportResult(row=number, user_id=user_id, result="imported")
        account: Any = {name: row.get(name) for name in ("tenant_id", "object_id", "username") if row.get(name)}
        missing = [scope for scope in SCOPES if granted and scope not in granted]
        generation = state.connect(user_id, account, missing, kind="imported")
        state.users[user_id]["imported"] = (token, written)
        return ImportResult(row=number, user_id=user_id, result="imported", generation=generation)

    def _browser_sessions(
        self, method: str, segments: list[str], query: dict[str, str], body: dict[str, Any]
    ) -> Answer:
        self._state.ended_browser_sessions.append(segments[0])
        return 204, None

    def _connect_urls(self, method: str, segments: list[str], query: dict[str, str], body: dict[str, Any]) -> Answer:
        urls = self._state.connect_urls
        if urls is None:
            return problem("not_found")
        return 200, {"connect_url": urls.connect, "manage_url": urls.manage, "completion_url": urls.completion}

    def _events(self, method: str, segments: list[str], query: dict[str, str], body: dict[str, Any]) -> Answer:
        # A cursor is "fake" and the number of events before it.
        events = self._state.events
        cursor = re.fullmatch(r"fake(\d{0,9})", query.get("after", "fake"), re.ASCII)
        after = int(cursor[1] or 0) if cursor else -1
        if not 0 <= after <= len(events):
            # Of another broker, or from before `reset`.
            return problem("cursor_expired")
        until = min(len(events), after + int(query.get("limit", "100")))
        return 200, {"events": events[after:until], "cursor": _cursor(until), "more": until < len(events)}

    def _connect_sessions(
        self, method: str, segments: list[str], query: dict[str, str], body: dict[str, Any]
    ) -> Answer:
        state = self._state
        if not segments:
            return self._begin(body)
        session = state.sessions.get(segments[0])
        if session is None:
            return problem("not_found")
        handle = state.handles.get(session["id"])
        if method == "GET":
            return 200, _shown(session)
        if method == "DELETE":
            if handle is not None and query.get("handle") == handle and session["status"] == "received":
                refuse(session, "not_the_same_user")
            return 204, None
        if handle is None or body.get("handle") != handle:
            return problem("connect_refused", reason="not_back_yet")
        return self._complete(session, body["user_id"])

    def _begin(self, body: dict[str, Any]) -> Answer:
        session_id = str(uuid.uuid4())
        self._state.sessions[session_id] = {
            "id": session_id,
            "user_id": body["user_id"],
            "intent": body.get("intent", "connect"),
            "status": "created",
            "created_at": now(),
            "expires_at": "2099-01-01T00:00:00Z",
            "allow_account_switch": body.get("allow_account_switch", False),
            **{name: body[name] for name in ("locale", "time_zone") if name in body},
        }
        url = f"{self._state.url}/connect/{session_id}"
        return 201, {"id": session_id, "url": url, "expires_at": "2099-01-01T00:00:00Z"}

    def _complete(self, session: dict[str, Any], user_id: str) -> Answer:
        state = self._state
        page = f"{state.url}/result/{session['id']}"
        if session["user_id"] != user_id:
            if session["status"] == "received":
                refuse(session, "not_the_same_user")
                return problem("connect_refused", reason="not_the_same_user", next=page)
            return problem("connect_refused", reason="not_the_same_user")
        if session["status"] == "received":
            account = account_of(state.accounts.get(session["id"], USERNAME))
            stored = state.users.get(user_id)
            other = stored is not None and stored["account"].get("object_id") != account.get("object_id")
            if other and not session["allow_account_switch"]:
                refuse(session, "other_account", "account_mismatch", account=account)
            else:
                is_new = stored is None
                state.connect(user_id, account)
                outcome = Outcome(result="connected" if is_new else "reconnected", account=account)
                session.update(status="connected", outcome=outcome)
        if session["status"] != "connected":
            outcome = session["outcome"]
            return problem(outcome["code"], reason=outcome["reason"], who_acts=outcome["who_acts"], next=page)
        return 200, {"session": _shown(session), "next": page}


def refuse(
    session: dict[str, Any], reason: str, code: str = "connect_refused", who_acts: str = "user", **members: Any
) -> None:
    outcome = {"result": "refused", "code": code, "reason": reason, "who_acts": who_acts, **members}
    session.update(status="refused", outcome=outcome)


def _shown(session: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in session.items() if name != "allow_account_switch"}


def _scopes(user: dict[str, Any]) -> dict[str, Any]:
    missing: list[str] = user.get("missing_scopes") or []
    scope = " ".join(scope for scope in SCOPES if scope not in missing)
    return {"scope": scope, "missing_scopes": missing, "excess_scopes": []}


def _cursor(events: int) -> str:
    return f"fake{events or ''}"


def read_claims(claims: str) -> dict[str, Any] | None:
    try:
        if not claims.startswith("{"):
            claims = base64.b64decode(claims.replace("-", "+").replace("_", "/") + "==").decode()
        asked: object = json.loads(claims)["access_token"]
    except (ValueError, KeyError, TypeError):
        return None
    return cast("dict[str, Any]", asked) if isinstance(asked, dict) else None


def problem(code: str, **members: Any) -> Answer:
    return _STATUS[code], {"code": code, "status": _STATUS[code], **members}
