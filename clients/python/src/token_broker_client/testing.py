"""A fake broker for the tests of an application. It runs in memory, needs no network, verifies nothing, and signs its
answers as the real broker does.

broker = FakeBroker()
broker.connect("42")
client = broker.client()
client.get_token("42").access_token
"""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .client import Client
from .disconnects import utc_text
from .keys import HmacKey
from .messages import (
    Line,
    Request,
    Response,
    byte_sequence,
    content_digest,
    headers_by_name,
    request_component,
    signature_base,
)
from .signing import RESPONSE_TAG
from .structured_fields import signature_input
from .transports import TransportError

_ACCOUNT = {
    "tenant_id": "9d2f1a44-58c6-4a0b-8f3a-6b1c2d3e4f50",
    "object_id": "0b6f7c1e-3a5d-4e9b-9c8a-7d6e5f4a3b2c",
    "username": "jane@contoso.com",
}
_SCOPE = "Files.ReadWrite.All User.Read"
_FROZEN = {
    "reason": "user_frozen",
    "who_acts": "ops",
    "advice": "Access for this user is paused. Nothing was deleted.",
}
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
    "claims_not_satisfied": 409,
    "invalid_request": 422,
    "connect_refused": 409,
    "connect_session_expired": 410,
}


class FakeBroker:
    """``connect``, ``come_back``, ``require_reconnect``, ``recover``, ``degrade``, ``disconnect``, ``freeze``,
    ``unfreeze``, ``leave_unsatisfied``, ``fail``, ``stop`` and ``start`` prepare a test. ``requests`` lists the calls
    that arrived, ``claims`` the claims challenges with them. ``challenge`` makes a header as Graph sends it."""

    def __init__(self, url: str = "http://fake-broker.invalid") -> None:
        self.key = HmacKey("fake", "A" * 43)
        self.url = url
        self.users: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.handles: dict[str, str] = {}
        self.ended_browser_sessions: list[str] = []
        self.requests: list[str] = []
        self.claims: list[dict[str, Any]] = []
        self.unsatisfied: set[str] = set()
        self.connect_urls: dict[str, str] | None = {
            "connect_url": f"{url}/microsoft/connect",
            "manage_url": f"{url}/microsoft/manage",
            "completion_url": f"{url}/microsoft/connected",
        }
        """Where the broker sends browsers. None: the broker is too old to tell."""
        self.frozen: set[str] = set()
        self._events: list[dict[str, Any]] = []
        self._generation = 0
        self._failures: list[dict[str, Any]] = []
        self._stopped = False

    def client(self, **options: Any) -> Client:
        """A client that asks again at once after a call without an answer. ``options``: of ``Client``."""
        return Client(self.url, self.key, transport=self, **{"breaker_seconds": 0.0, **options})

    def connect(self, user_id: str, username: str = "jane@contoso.com") -> None:
        self._generation += 1
        account = {**_ACCOUNT, "username": username}
        connected_at = utc_text(datetime.now(timezone.utc))
        kind = "reconnected" if user_id in self.users else "connected"
        self.users[user_id] = {"generation": self._generation, "account": account, "connected_at": connected_at}
        self._event(kind, user_id)

    def come_back(self, connect_session_id: str) -> str:
        """The user approves at Microsoft. Returns the ``handle`` that the browser brings to the completion URL."""
        self.sessions[connect_session_id]["status"] = "received"
        self.handles[connect_session_id] = secrets.token_urlsafe(32)
        return self.handles[connect_session_id]

    def require_reconnect(
        self,
        user_id: str,
        reason: str = "access_revoked",
        who_acts: str = "user",
        advice: str = "Connect again.",
        microsoft: dict[str, Any] | None = None,
    ) -> None:
        """``microsoft``: the answer of Microsoft that the broker stores, with ``aadsts``, ``trace_id`` and so on."""
        failure = {"reason": reason, "who_acts": who_acts, "advice": advice, "microsoft": microsoft or {}}
        self.users[user_id]["failure"] = failure
        self._event("reconnect_required", user_id, reason=reason)

    def recover(self, user_id: str) -> None:
        """It works again without a connect: an administrator has acted."""
        self.users[user_id].pop("failure", None)
        self._event("recovered", user_id)

    def degrade(self, user_id: str, reason: str = "microsoft_unreachable", who_acts: str = "nobody") -> None:
        """Microsoft gives no new token at the moment. The present one is handed out, and no event comes."""
        self.users[user_id]["trouble"] = {"reason": reason, "who_acts": who_acts, "advice": "The broker tries again."}

    def _admin_consent_url(self, failure: dict[str, Any]) -> dict[str, str]:
        is_for_admin = failure["who_acts"] == "tenant_admin"
        return {"admin_consent_url": f"{self.url}/admin-consent"} if is_for_admin else {}

    def disconnect(self, user_id: str) -> None:
        self.users.pop(user_id, None)
        self._event("disconnected", user_id)

    def freeze(self, user_id: str) -> None:
        """From now on no token of this user is handed out. Nothing is deleted."""
        self.frozen.add(user_id)
        self._freeze_event("frozen", user_id)

    def unfreeze(self, user_id: str) -> None:
        self.frozen.discard(user_id)
        self._freeze_event("unfrozen", user_id)

    @staticmethod
    def challenge(**members: Any) -> str:
        """``WWW-Authenticate`` of a 401 with a claims challenge. ``members``: of ``access_token``; default: ``nbf``, as
        after a revocation. For the exception that the fake Graph of a test raises."""
        asked = members or {"nbf": {"essential": True, "value": "1764000000"}}
        claims = base64.b64encode(json.dumps({"access_token": asked}).encode()).decode()
        where = "https://login.microsoftonline.com/common/oauth2/authorize"
        return f'Bearer realm="", authorization_uri="{where}", error="insufficient_claims", claims="{claims}"'

    def leave_unsatisfied(self, user_id: str) -> None:
        """From now on a refresh with claims of this user is ``claims_not_satisfied``."""
        self.unsatisfied.add(user_id)

    def _freeze_event(self, kind: str, user_id: str) -> None:
        self._event(kind, user_id, freeze={"id": str(uuid.uuid4()), "scope": "user", "value": user_id})

    def _event(self, kind: str, user_id: str, **members: Any) -> None:
        at = utc_text(datetime.now(timezone.utc))
        self._events.append({"id": len(self._events) + 1, "at": at, "user_id": user_id, "type": kind, **members})

    def fail(self, code: str, status: int, times: int = 1, **members: Any) -> None:
        """Answers the next ``times`` requests with this problem. ``members``: further members of the problem
        document."""
        self._failures += [{"code": code, "status": status, **members}] * times

    def stop(self) -> None:
        """From now on no request gets an answer."""
        self._stopped = True

    def start(self) -> None:
        """After ``stop``: requests get answers again."""
        self._stopped = False

    # ---- Transport ----

    def send(self, request: Request, timeout_seconds: float) -> Response:
        if self._stopped:
            raise TransportError("stopped")
        self.requests.append(f"{request.method} {request.target.partition('?')[0]}")
        status, body = self._answer(request)
        kind = "application/json" if status < 400 else "application/problem+json"
        content = b"" if body is None else json.dumps(body).encode()
        return self._signed(request, status, {} if body is None else {"content-type": kind}, content)

    def _answer(self, request: Request) -> tuple[int, dict[str, Any] | None]:
        if self._failures:
            failure = self._failures.pop(0)
            return int(failure["status"]), failure
        parts = urlsplit(request.target)
        segments = parts.path.strip("/").split("/")
        body = json.loads(request.body) if request.body else {}
        return self._route(request.method, segments, parse_qs(parts.query), body)

    def _route(
        self, method: str, segments: list[str], query: dict[str, list[str]], body: dict[str, Any]
    ) -> tuple[int, dict[str, Any] | None]:
        user = self.users.get(segments[1]) if len(segments) > 1 else None
        if segments[0] == "tokens":
            return self._token(segments[1], user, after=body.get("generation"), claims=body.get("claims"))
        if segments[0] == "integrations" and len(segments) == 2:
            if method == "DELETE":
                before = query.get("connected_before", ["9999"])[0]
                if user is not None and user["connected_at"] < before:
                    self.disconnect(segments[1])
                return 204, None
            if user is None:
                return _problem("not_connected")
            frozen = {"frozen": _FROZEN} if segments[1] in self.frozen else {}
            return 200, {**_integration(segments[1], user), **frozen}
        if segments[0] == "browser-sessions":
            self.ended_browser_sessions.append(segments[1])
            return 204, None
        if segments[0] == "connect-sessions":
            return self._connect_session(method, segments[1:], query, body)
        if segments[0] == "integrations":
            users = sorted(self.users.items())
            return 200, {
                "integrations": [_integration(user_id, known) for user_id, known in users],
                "events_cursor": f"fake{len(self._events) or ''}",
            }
        if segments[0] == "connect-urls" and self.connect_urls is not None:
            return 200, dict(self.connect_urls)
        if segments[0] == "events":
            # A cursor is "fake" and the number of events before it.
            after = int(query.get("after", ["fake"])[0].removeprefix("fake") or 0)
            return 200, {"events": self._events[after:], "cursor": f"fake{len(self._events) or ''}", "more": False}
        return _problem("not_found")

    def _token(
        self, user_id: str, user: dict[str, Any] | None, after: int | None, claims: str | None
    ) -> tuple[int, dict[str, Any] | None]:
        if claims is not None:
            asked = _read_claims(claims)
            if asked is None:
                return _problem("invalid_request", invalid=[{"field": "body.claims", "expected": "a claims challenge"}])
            self.claims.append(asked)
        if user is None:
            return _problem("not_connected")
        if user_id in self.frozen:
            return _problem("frozen", **_FROZEN)
        if claims is not None and user_id in self.unsatisfied:
            return _problem("claims_not_satisfied", **_NOT_SATISFIED)
        if "failure" in user:
            return _problem("reconnect_required", **user["failure"], **self._admin_consent_url(user["failure"]))
        if after is not None and user["generation"] <= after:
            self._generation += 1
            user["generation"] = self._generation
        return 200, {
            "user_id": user_id,
            "access_token": f"fake-token-{user_id}-{user['generation']}",
            "token_type": "Bearer",
            "expires_at": "2099-01-01T00:00:00Z",
            "expires_in": 3600,
            "scope": _SCOPE,
            "missing_scopes": [],
            "excess_scopes": [],
            "generation": user["generation"],
            "account": user["account"],
        }

    def _connect_session(
        self, method: str, segments: list[str], query: dict[str, list[str]], body: dict[str, Any]
    ) -> tuple[int, dict[str, Any] | None]:
        if method == "POST" and not segments:
            session_id = str(uuid.uuid4())
            self.sessions[session_id] = {
                "id": session_id,
                "user_id": body["user_id"],
                "intent": body.get("intent", "connect"),
                "status": "created",
                **{name: body[name] for name in ("locale", "time_zone") if name in body},
            }
            return 201, {
                "id": session_id,
                "url": f"{self.url}/connect/{session_id}",
                "expires_at": "2099-01-01T00:00:00Z",
            }
        session = self.sessions.get(segments[0])
        if session is None:
            return _problem("not_found")
        handle = self.handles.get(session["id"])
        if method == "DELETE":
            if handle is not None and query.get("handle") == [handle] and session["status"] == "received":
                self._refuse_other_user(session)
            return 204, None
        if method == "POST":
            if handle is None or body.get("handle") != handle:
                return _problem("connect_refused", reason="not_back_yet")
            page = f"{self.url}/result/{session['id']}"
            if session["status"] == "received" and session["user_id"] != body["user_id"]:
                self._refuse_other_user(session)
            if session["status"] == "refused":
                return _problem("connect_refused", reason="not_the_same_user", next=page)
            if session["user_id"] != body["user_id"]:
                return _problem("connect_refused", reason="not_the_same_user")
            if session["status"] == "received":
                self.connect(session["user_id"])
                session.update(
                    status="connected",
                    outcome={"result": "connected", "account": self.users[session["user_id"]]["account"]},
                )
            return 200, {"session": session, "next": page}
        return 200, session

    def _refuse_other_user(self, session: dict[str, Any]) -> None:
        outcome = {"result": "refused", "code": "connect_refused", "reason": "not_the_same_user"}
        session.update(status="refused", outcome=outcome)

    def _signed(self, request: Request, status: int, headers: dict[str, str], body: bytes) -> Response:
        fields = headers_by_name(request.headers)
        given = signature_input(fields["signature-input"][0])
        assert given is not None
        digest = content_digest(body)
        lines: list[Line] = [('"@status"', str(status)), ('"content-digest"', digest)]
        lines += [(f'"{name}"', value) for name, value in headers.items()]
        lines += [
            (f"{component.text};req", request_component(request, fields, component.name) or "")
            for component in given.components
        ]
        lines.append(('"signature-input";req', fields["signature-input"][0]))
        components = " ".join(name for name, _ in lines)
        created, key_id = int(time.time()), self.key.key_id
        params = f'({components});created={created};keyid="{key_id}";tag="{RESPONSE_TAG}"'
        signature = byte_sequence(self.key.sign(signature_base(lines, params)))
        signed = {
            **headers,
            "content-digest": digest,
            "signature-input": f"sig1={params}",
            "signature": f"sig1={signature}",
        }
        return Response(status, list(signed.items()), body)


def _read_claims(claims: str) -> dict[str, Any] | None:
    try:
        if not claims.startswith("{"):
            claims = base64.b64decode(claims.replace("-", "+").replace("_", "/") + "==").decode()
        asked = json.loads(claims)["access_token"]
    except (ValueError, KeyError, TypeError):
        return None
    return asked if isinstance(asked, dict) else None


def _problem(code: str, **members: Any) -> tuple[int, dict[str, Any]]:
    return _STATUS[code], {"code": code, "status": _STATUS[code], **members}


def _integration(user_id: str, user: dict[str, Any]) -> dict[str, Any]:
    failure = {}
    if "failure" in user or "trouble" in user:
        failure = {"failure": {"microsoft": {}, **(user.get("failure") or user["trouble"]), "final": "failure" in user}}
    return {
        "user_id": user_id,
        "status": "reconnect_required" if "failure" in user else "active",
        "generation": user["generation"],
        "account": user["account"],
        "scope": _SCOPE,
        "missing_scopes": [],
        "excess_scopes": [],
        "connected_at": user["connected_at"],
        "refreshed_at": "2026-01-01T00:00:00Z",
        "access_token_expires_at": "2099-01-01T00:00:00Z",
        **failure,
    }
