"""A fake broker for the tests of an application. It runs in memory, needs no network, verifies nothing, and signs its
answers as the real broker does.

broker = FakeBroker()
broker.connect("42")
client = broker.client()
client.get_token("42").access_token

For the tests of a Django project see ``pytest_plugin`` and ``django.testing``.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from typing import Any

from .answers import ConnectUrls, Failure, Microsoft, RawEvent
from .client import Client
from .fake_api import KEY_ID, USERNAME, Routes, State, account_of, refuse
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
from .tokens import CACHE_SECONDS
from .transports import TransportError

FAKE_SETTINGS: dict[str, Any] = {
    "URL": "http://fake-broker.invalid",
    "KEY_ID": KEY_ID,
    "SECRET": "A" * 43,
    "TRANSPORT": "token_broker_client.testing.shared_broker",
}
"""For the test settings of a Django project: ``TOKEN_BROKER = {**TOKEN_BROKER, **FAKE_SETTINGS}``. All tests of the
process then use ``shared_broker()``."""


class FakeBroker:
    """It answers every call of the signed API that ``Client`` makes.

    Users: ``connect``, ``require_reconnect``, ``recover``, ``degrade``, ``disconnect``, ``freeze``, ``unfreeze``,
    ``leave_unsatisfied``. A connect: ``come_back``, ``cancel``. The broker itself: ``fail``, ``stop``, ``start``,
    ``reset``. ``requests`` lists the calls that arrived, ``claims`` the claims challenges with them,
    ``ended_browser_sessions`` the users who logged out. ``challenge`` makes a header as Graph sends it.
    """

    client_options: dict[str, Any] = {"breaker_seconds": 0.0, "breaker_store": None}
    """For a client with this transport, so that ``start`` counts at once."""

    is_fake = True

    def __init__(self, url: str = "http://fake-broker.invalid") -> None:
        self.key = HmacKey(KEY_ID, "A" * 43)
        self.url = url
        self.reset()

    def reset(self) -> None:
        """Forgets everything: nobody is connected, and the broker answers."""
        self._state = State(self.url)
        self._state.connect_urls = ConnectUrls(
            f"{self.url}/microsoft/connect", f"{self.url}/microsoft/manage", f"{self.url}/microsoft/connected"
        )
        self._routes = Routes(self._state)
        self.requests: list[str] = []
        self._failures: list[dict[str, Any]] = []
        self._stopped = False

    # ---- What is stored ----

    @property
    def users(self) -> dict[str, dict[str, Any]]:
        """The connected users, by id."""
        return self._state.users

    @users.setter
    def users(self, users: dict[str, dict[str, Any]]) -> None:
        self._state.users = users

    @property
    def sessions(self) -> dict[str, dict[str, Any]]:
        """The connect sessions, by id."""
        return self._state.sessions

    @property
    def claims(self) -> list[dict[str, Any]]:
        """``access_token`` of each claims challenge that was passed on."""
        return self._state.claims

    @property
    def unsatisfied(self) -> set[str]:
        """Users of ``leave_unsatisfied``."""
        return self._state.unsatisfied

    @property
    def ended_browser_sessions(self) -> list[str]:
        return self._state.ended_browser_sessions

    @property
    def connect_urls(self) -> ConnectUrls | None:
        """What the broker's configuration says. None: the broker is too old to tell."""
        return self._state.connect_urls

    @connect_urls.setter
    def connect_urls(self, urls: ConnectUrls | None) -> None:
        self._state.connect_urls = urls

    @property
    def _events(self) -> list[RawEvent]:
        return self._state.events

    def _event(self, kind: str, user_id: str, **members: Any) -> None:
        self._state.event(kind, user_id, **members)

    def client(self, **options: Any) -> Client:
        """A client that asks the fake broker each time, so that a test sees each change at once. ``options``: of
        ``Client``."""
        # In the Django app, a token is kept within a request.
        kept = CACHE_SECONDS if "cache_scope" in options else 0.0
        given: dict[str, Any] = {**self.client_options, "cache_seconds": kept, **options}
        return Client(self.url, self.key, transport=self, **given)

    # ---- Users ----

    def connect(self, user_id: str, username: str = USERNAME, *, missing_scopes: list[str] | None = None) -> None:
        """Another ``username`` is another Microsoft account. ``missing_scopes``: permissions that the user did not
        grant, of ``Files.ReadWrite.All`` and ``User.Read``."""
        self._state.connect(user_id, account_of(username), missing_scopes)

    def require_reconnect(
        self,
        user_id: str,
        reason: str = "access_revoked",
        who_acts: str = "user",
        advice: str = "Connect again.",
        microsoft: Microsoft | None = None,
    ) -> None:
        """``microsoft``: the answer of Microsoft that the broker stores, with ``aadsts``, ``trace_id`` and so on."""
        self.users[user_id]["failure"] = _failure(reason, who_acts, advice, microsoft)
        self._state.event("reconnect_required", user_id, reason=reason)

    def recover(self, user_id: str) -> None:
        """It works again without a connect: an administrator has acted, or Microsoft answers again."""
        self.users[user_id].pop("trouble", None)
        if self.users[user_id].pop("failure", None) is not None:
            self._state.event("recovered", user_id)

    def degrade(self, user_id: str, reason: str = "microsoft_unreachable", who_acts: str = "nobody") -> None:
        """Microsoft gives no new token at the moment. The present one is handed out with ``degraded``, a refresh is
        ``MicrosoftUnavailable``, and no event comes."""
        self.users[user_id]["trouble"] = _failure(reason, who_acts, "The broker tries again.", None)

    def disconnect(self, user_id: str) -> None:
        self._state.disconnect(user_id)

    def freeze(self, value: str, scope: str = "user") -> None:
        """From now on no token is handed out. Nothing is deleted. ``scope``: ``user``, ``tenant`` (``value`` is the
        tenant id) or ``caller_key`` (``value`` is ``fake``)."""
        self._state.freezes[scope, value] = str(uuid.uuid4())
        self._freeze_event("frozen", scope, value, self._state.freezes[scope, value])

    def unfreeze(self, value: str, scope: str = "user") -> None:
        self._freeze_event("unfrozen", scope, value, self._state.freezes.pop((scope, value), str(uuid.uuid4())))

    def _freeze_event(self, kind: str, scope: str, value: str, freeze_id: str) -> None:
        user_id = value if scope == "user" else ""
        self._state.event(kind, user_id, freeze={"id": freeze_id, "scope": scope, "value": value})

    def leave_unsatisfied(self, user_id: str) -> None:
        """From now on a refresh with claims of this user is ``claims_not_satisfied``."""
        self._state.unsatisfied.add(user_id)

    @staticmethod
    def challenge(**members: Any) -> str:
        """``WWW-Authenticate`` of a 401 with a claims challenge. ``members``: of ``access_token``; default: ``nbf``, as
        after a revocation. For the exception that the fake Graph of a test raises."""
        asked = members or {"nbf": {"essential": True, "value": "1764000000"}}
        claims = base64.b64encode(json.dumps({"access_token": asked}).encode()).decode()
        where = "https://login.microsoftonline.com/common/oauth2/authorize"
        return f'Bearer realm="", authorization_uri="{where}", error="insufficient_claims", claims="{claims}"'

    # ---- A connect ----

    def come_back(self, connect_session_id: str, username: str = USERNAME) -> str:
        """The user approves at Microsoft, with this account. Returns the ``handle`` that the browser brings to the
        completion URL. If another account is connected, the completion is ``AccountMismatch``."""
        self.sessions[connect_session_id]["status"] = "received"
        self._state.accounts[connect_session_id] = username
        self._state.handles[connect_session_id] = secrets.token_urlsafe(32)
        return self._state.handles[connect_session_id]

    def cancel(
        self,
        connect_session_id: str,
        reason: str = "not_approved",
        who_acts: str = "user",
        microsoft: Microsoft | None = None,
    ) -> None:
        """The user does not approve, or Microsoft refuses (``reason``). The browser stays on the broker's page and does
        not come back; ``get_connect_session`` tells it."""
        refuse(self.sessions[connect_session_id], reason, who_acts=who_acts, microsoft=microsoft or Microsoft())

    # ---- The broker itself ----

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
        failure = self._failures.pop(0) if self._failures else None
        status, body = self._routes.answer(request) if failure is None else (int(failure["status"]), failure)
        kind = "application/json" if status < 400 else "application/problem+json"
        content = b"" if body is None else json.dumps(body).encode()
        return self._signed(request, status, {} if body is None else {"content-type": kind}, content)

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


def _failure(reason: str, who_acts: str, advice: str, microsoft: Microsoft | None) -> Failure:
    return Failure(reason=reason, who_acts=who_acts, advice=advice, final=True, microsoft=microsoft or Microsoft())


class _Shared:
    is_fake = True

    def __init__(self) -> None:
        self._broker = FakeBroker()

    def __call__(self) -> FakeBroker:
        return self._broker


shared_broker = _Shared()
"""``shared_broker()`` is the fake broker of ``FAKE_SETTINGS``: one for the process."""
