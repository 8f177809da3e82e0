"""The attempts to connect of each login (docs/design.md#completion)."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.contrib.sessions.backends import signed_cookies
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from ..answers import Account, Microsoft
from ..errors import BrokerError
from . import conf
from .models import ConnectAttempt, Connection, visible

log = logging.getLogger("token_broker_client")

SESSION_KEY = "token_broker_login"
"""Names the login, only where sessions are stored in a cookie: they have no key."""
_LINK_MINUTES = 30
"""An attempt can be finished for so long."""
_KEEP = timedelta(days=30)
"""Users ask support some days later. Longer than an access token is valid, about which ``may_use_memory`` asks."""


def name_login(request: HttpRequest) -> str:
    """A keyed digest. Names the login, for a session in a cookie in the session itself."""
    session = request.session
    if not isinstance(session, signed_cookies.SessionStore):
        name = session.session_key or ""
    else:
        name = session.get(SESSION_KEY) or ""
        if not name:
            name = session[SESSION_KEY] = secrets.token_urlsafe(24)
    return salted_hmac("token_broker_client.login", name, algorithm="sha256").hexdigest()


def begin(request: HttpRequest, connect_session_id: str, user_id: str, next_url: str | None) -> None:
    now = timezone.now()
    ConnectAttempt.objects.filter(begun_at__lt=now - _KEEP).delete()
    ConnectAttempt.objects.create(
        digest=_digest(connect_session_id),
        connect_session_id=connect_session_id,
        login=name_login(request),
        user_id=user_id,
        next_url=next_url or "",
        begun_at=now,
    )


def find(request: HttpRequest, connect_session_id: str) -> ConnectAttempt | None:
    """None: this login did not begin it."""
    found: ConnectAttempt | None = ConnectAttempt.objects.filter(
        digest=_digest(connect_session_id), login=name_login(request)
    ).first()
    return found


def complete(attempt: ConnectAttempt, result_url: str) -> None:
    attempt.completed_at, attempt.result_url = timezone.now(), result_url
    attempt.save(update_fields=["completed_at", "result_url"])


def fail(attempt: ConnectAttempt, error: BrokerError) -> None:
    """The broker refused to complete it."""
    attempt.reason, attempt.who_acts = error.reason or "", error.who_acts or ""
    attempt.admin_consent_url = error.admin_consent_url or ""
    attempt.save(update_fields=["reason", "who_acts", "admin_consent_url"])


def wanted_url(request: HttpRequest) -> str | None:
    """Where this login wanted to go when it began its last attempt, if that did not succeed: it was cancelled, another
    account was chosen, or Microsoft did not answer. The broker's pages know only the address of the connect page."""
    last = (
        ConnectAttempt.objects.filter(
            login=name_login(request), begun_at__gte=timezone.now() - timedelta(minutes=_LINK_MINUTES)
        )
        .exclude(next_url="")
        .order_by("-begun_at")
        .first()
    )
    return last.next_url if last is not None and last.completed_at is None else None


@dataclass(frozen=True)
class Unfinished:
    """A user's last attempt, if nothing was connected by it."""

    begun_at: datetime
    is_refused: bool
    """False: the user has not come back, as far as is known."""
    reason: str = ""
    who_acts: str = ""
    username: str = ""
    """The account that was chosen at Microsoft."""
    microsoft: Microsoft = field(default_factory=Microsoft)
    admin_consent_url: str = ""


def last_unfinished(connection: Connection, timeout_seconds: float | None) -> Unfinished | None:
    """What the broker says about it, and without an answer what this site knows. ``timeout_seconds`` None: does not
    ask. An attempt from before the present connection says nothing any more."""
    row: ConnectAttempt | None = (
        ConnectAttempt.objects.filter(user_id=connection.broker_user_id).order_by("-begun_at").first()
    )
    if row is None or row.completed_at is not None:
        return None
    if connection.connected_at is not None and row.begun_at < connection.connected_at:
        return None
    known = Unfinished(
        row.begun_at, bool(row.reason), row.reason, row.who_acts, admin_consent_url=row.admin_consent_url
    )
    if not row.connect_session_id or timeout_seconds is None:
        return known
    try:
        session = conf.get_client().get_connect_session(row.connect_session_id, timeout_seconds=timeout_seconds)
    except BrokerError as error:
        log.info("what came of an attempt to connect is not known: code=%s", error.code)
        return known
    outcome = session.get("outcome")
    if outcome is None:
        return known
    if outcome.get("result") != "refused":
        return None
    return replace(
        known,
        is_refused=True,
        reason=outcome.get("reason") or "",
        who_acts=outcome.get("who_acts") or "",
        username=visible((outcome.get("account") or Account()).get("username") or ""),
        microsoft=outcome.get("microsoft") or Microsoft(),
    )


def _digest(connect_session_id: str) -> str:
    return salted_hmac("token_broker_client.connect", connect_session_id, algorithm="sha256").hexdigest()
