"""One exception class for each of the broker's failure codes; a code that is not known is treated by its status.

Messages hold codes and advice from closed lists, never a token.
"""

from __future__ import annotations

from typing import Any


class BrokerError(Exception):
    """The broker said no, or could not be asked. ``advice`` is one sentence in plain words about what to do."""

    code_of_class = "unknown"
    advice_of_class = "Treat it by its status."

    def __init__(self, problem: dict[str, Any] | None = None, status: int = 0) -> None:
        problem = problem or {}
        self.status: int = status
        self.code: str = str(problem.get("code", type(self).code_of_class))
        self.reason: str | None = problem.get("reason")
        """Why, from the broker's closed list."""
        self.who_acts: str | None = problem.get("who_acts")
        """``user``, ``tenant_admin``, ``ops`` or ``nobody``: it heals by itself."""
        self.advice: str = problem.get("advice") or type(self).advice_of_class
        self.retry_after: float | None = problem.get("retry_after")
        """Seconds after which trying again makes sense."""
        self.request_id: str | None = problem.get("request_id")
        """By it, ops find the reason in the broker's log."""
        self.microsoft: dict[str, Any] = problem.get("microsoft") or {}
        self.invalid: list[dict[str, str]] = problem.get("invalid") or []
        self.next: str | None = problem.get("next")
        """Completion only: the broker's page to send the user to."""
        self.detail: str | None = problem.get("detail")
        super().__init__(self.code, self.advice)

    def __str__(self) -> str:
        reason = f", {self.reason}" if self.reason else ""
        detail = f" ({self.detail})" if self.detail else ""
        status = f"{self.status} " if self.status else ""
        return f"{status}{self.code}{reason}{detail}: {self.advice}"


class Unauthenticated(BrokerError):
    """401."""


class Missing(BrokerError):
    """404."""


class Conflict(BrokerError):
    """409."""


class Gone(BrokerError):
    """410."""


class Unavailable(BrokerError):
    """503, or the broker could not be reached: it may work after ``retry_after`` seconds."""


class ServerError(BrokerError):
    """Any other 5xx."""


class InvalidSignature(Unauthenticated):
    code_of_class = "invalid_signature"
    advice_of_class = "Check key id, secret, authority and clock; the broker's log says which."


class ClockSkew(Unauthenticated):
    code_of_class = "clock_skew"
    advice_of_class = "This machine's clock is off and could not be corrected by the broker's."


class CallerForbidden(BrokerError):
    code_of_class = "caller_forbidden"
    advice_of_class = "Ops must give this caller the permission in the broker's callers file."


class NotConnected(Missing):
    code_of_class = "not_connected"
    advice_of_class = "Send the user through connect."


class NotFound(Missing):
    code_of_class = "not_found"
    advice_of_class = "There is no such route, or no such connect session of this caller."


class ReconnectRequired(Conflict):
    code_of_class = "reconnect_required"
    advice_of_class = "Where the user acts, send them through connect; else show the advice."


class ConnectRefused(Conflict):
    code_of_class = "connect_refused"
    advice_of_class = "Send the user to `next`: the page says what happened and what to do."


class AccountMismatch(Conflict):
    code_of_class = "account_mismatch"
    advice_of_class = (
        "Another Microsoft account is connected: send the user to `next`, or begin with allow_account_switch."
    )


class ConnectSessionExpired(Gone):
    code_of_class = "connect_session_expired"
    advice_of_class = "Begin a new connect session."


class CursorExpired(Gone):
    code_of_class = "cursor_expired"
    advice_of_class = "List all integrations, then read events from the list's cursor."


class InvalidRequest(BrokerError):
    code_of_class = "invalid_request"
    advice_of_class = "See `invalid`; do not repeat it unchanged."


class RateLimited(Unavailable):
    code_of_class = "rate_limited"
    advice_of_class = "Wait retry_after seconds."


class MicrosoftUnavailable(Unavailable):
    code_of_class = "microsoft_unavailable"
    advice_of_class = "Try again later; the user need not do anything."


class BrokerMisconfigured(Unavailable):
    code_of_class = "broker_misconfigured"
    advice_of_class = "Ops must act; the user cannot."


class DatabaseUnavailable(Unavailable):
    code_of_class = "database_unavailable"
    advice_of_class = "Try again later."


class TokenUnreadable(ServerError):
    code_of_class = "token_unreadable"
    advice_of_class = "Ops must act: a sealing key is missing. The user need not reconnect."


class InternalError(ServerError):
    code_of_class = "internal_error"
    advice_of_class = "Ops find the reason in the broker's log by request_id."


class BrokerUnreachable(Unavailable):
    """No answer, or one of a proxy in front of the broker. ``detail`` says which."""

    code_of_class = "broker_unreachable"
    advice_of_class = "The token broker does not answer. Try again later."


class UntrustedAnswer(BrokerError):
    """What came as an answer was not signed by the broker for this very request. It was not used."""

    code_of_class = "untrusted_answer"
    advice_of_class = "A proxy or cache may have mixed up answers, or the response key is wrong. Ops must look."


BY_CODE: dict[str, type[BrokerError]] = {
    cls.code_of_class: cls
    for cls in (
        InvalidSignature,
        ClockSkew,
        CallerForbidden,
        NotConnected,
        NotFound,
        ReconnectRequired,
        ConnectRefused,
        AccountMismatch,
        ConnectSessionExpired,
        CursorExpired,
        InvalidRequest,
        RateLimited,
        MicrosoftUnavailable,
        BrokerMisconfigured,
        DatabaseUnavailable,
        TokenUnreadable,
        InternalError,
    )
}
BY_STATUS: dict[int, type[BrokerError]] = {
    401: Unauthenticated,
    403: CallerForbidden,
    404: Missing,
    409: Conflict,
    410: Gone,
    422: InvalidRequest,
    429: RateLimited,
    503: Unavailable,
}


def error_for(status: int, problem: dict[str, Any]) -> BrokerError:
    """The exception for a problem document (RFC 9457)."""
    cls = (
        BY_CODE.get(str(problem.get("code")))
        or BY_STATUS.get(status)
        or (ServerError if status >= 500 else BrokerError)
    )
    return cls(problem, status)
