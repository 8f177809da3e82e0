"""The attempts to connect of each login (docs/design.md#completion)."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.contrib.sessions.backends import signed_cookies
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from .models import ConnectAttempt

SESSION_KEY = "token_broker_login"
"""Names the login, only where sessions are stored in a cookie: they have no key."""
_LINK_MINUTES = 30
"""An attempt can be finished for so long."""
_KEEP = timedelta(days=1)
"""Longer than an access token is valid: ``has_connected_since`` is asked about tokens."""


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


def _digest(connect_session_id: str) -> str:
    return salted_hmac("token_broker_client.connect", connect_session_id, algorithm="sha256").hexdigest()
