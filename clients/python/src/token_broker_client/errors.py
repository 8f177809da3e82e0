"""One exception class for each failure code of the broker. A code that this version does not know gets the class of its
status.

Messages contain codes and advice from closed lists, never a token.
"""

from __future__ import annotations

from typing import Any

from .answers import Addresses, InvalidField, Microsoft

_CODES_OF_CONNECT = frozenset(
    ("not_connected", "reconnect_required", "connect_refused", "account_mismatch", "connect_session_expired")
)


class BrokerError(Exception):
    """The broker refused the call, or could not be reached. ``advice`` says in one sentence what to do.

    Can be pickled and copied, so it passes between processes (Celery, ``ProcessPoolExecutor``). ``args`` are the
    arguments of the class and can be JSON: from them Celery makes the exception again for the caller of a task.
    """

    default_code = "unknown"
    default_advice = "Handle this failure by its HTTP status."

    def __init__(self, problem: dict[str, Any] | None = None, status: int = 0) -> None:
        """``problem``: the members of the problem document (RFC 9457). ``status``: HTTP status; 0: there was no
        answer."""
        self._problem = dict(problem or {})
        self.status: int = status
        self.code: str = str(self._problem.get("code", type(self).default_code))
        self.reason: str | None = self._problem.get("reason")
        """Why, from the broker's closed list of reasons."""
        self.who_acts: str | None = self._problem.get("who_acts")
        """Who can solve it: ``user``, ``tenant_admin``, ``ops``, or ``nobody`` if the broker recovers without help."""
        self.advice: str = self._problem.get("advice") or type(self).default_advice
        self.retry_after: float | None = self._problem.get("retry_after")
        """Seconds to wait before a retry makes sense."""
        self.request_id: str | None = self._problem.get("request_id")
        """Identifies the request in the broker's log."""
        self.microsoft: Microsoft = self._problem.get("microsoft") or Microsoft()
        self.invalid: list[InvalidField] = self._problem.get("invalid") or []
        self.addresses: Addresses = self._problem.get("addresses") or Addresses()
        """With ``claims_not_satisfied``."""
        self.admin_consent_url: str | None = self._problem.get("admin_consent_url")
        """If an administrator may have to act: the page to send to them."""
        self.next: str | None = self._problem.get("next")
        """Only for ``complete_connect``: the broker's page to send the user to."""
        self.detail: str | None = self._problem.get("detail")
        super().__init__(self._problem, self.status)

    @property
    def user_can_connect(self) -> bool:
        """Whether the next step is that the user connects. If not, ``who_acts`` can help: it works again without a
        connect once they have solved it."""
        return self.code in _CODES_OF_CONNECT and self.who_acts in (None, "user")

    def __repr__(self) -> str:
        # Celery and others log it. The members of the problem are more than a log needs.
        return f"{type(self).__name__}({str(self)!r})"

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
    """503, or the broker could not be reached. A retry after ``retry_after`` seconds may work."""


class ServerError(BrokerError):
    """Any other 5xx."""


class InvalidSignature(Unauthenticated):
    default_code = "invalid_signature"
    default_advice = "Check key id, secret, authority and clock. The broker's log names the exact cause."


class ClockSkew(Unauthenticated):
    default_code = "clock_skew"
    default_advice = "This machine's clock is wrong, and the broker's clock could not correct it."


class CallerForbidden(BrokerError):
    default_code = "caller_forbidden"
    default_advice = "Give this caller the permission in the broker's callers file."


class Frozen(BrokerError):
    """Access is paused. The client has forgotten the tokens that it held. ``reason`` is ``user_frozen``,
    ``tenant_frozen`` or ``caller_key_frozen``. Nobody has to connect again once it is lifted."""

    default_code = "frozen"
    default_advice = "Access is paused by the people who run the token broker. Do not connect again; ask them."


class NotConnected(Missing):
    default_code = "not_connected"
    default_advice = "Send the user through connect."


class NotFound(Missing):
    default_code = "not_found"
    default_advice = "This route does not exist, or this caller has no such connect session."


class ReconnectRequired(Conflict):
    default_code = "reconnect_required"
    default_advice = "If the user acts, send them through connect; otherwise show the advice."


class ConnectRefused(Conflict):
    default_code = "connect_refused"
    default_advice = "Send the user to `next`. That page says what happened and what to do."


class AccountMismatch(Conflict):
    default_code = "account_mismatch"
    default_advice = "Another Microsoft account is connected. Send the user to `next`, or use allow_account_switch."


class ClaimsNotSatisfied(Conflict):
    """Graph refuses each new token of this user, so the broker does not ask Microsoft again for now. ``addresses``:
    from where Graph saw the caller (``graph``), and Microsoft's sign-in the broker (``sign_in``), as far as they are
    known."""

    default_code = "claims_not_satisfied"
    default_advice = "Do not retry before `retry_after`. Operators compare `addresses`; the user cannot help."


class ConnectSessionExpired(Gone):
    default_code = "connect_session_expired"
    default_advice = "Begin a new connect session."


class CursorExpired(Gone):
    default_code = "cursor_expired"
    default_advice = "List all integrations, then read events from the cursor of that list."


class InvalidRequest(BrokerError):
    default_code = "invalid_request"
    default_advice = "Read `invalid`. Do not repeat the request unchanged."


class RateLimited(Unavailable):
    default_code = "rate_limited"
    default_advice = "Too many requests. Try again after `retry_after` seconds."


class MicrosoftUnavailable(Unavailable):
    default_code = "microsoft_unavailable"
    default_advice = "Microsoft does not answer. Try again later. The user does not need to do anything."


class BrokerMisconfigured(Unavailable):
    default_code = "broker_misconfigured"
    default_advice = "The broker's configuration must be corrected by its operators. The user cannot help."


class DatabaseUnavailable(Unavailable):
    default_code = "database_unavailable"
    default_advice = "The broker's database does not answer. Try again later."


class AuditUnavailable(Unavailable):
    default_code = "audit_unavailable"
    default_advice = "The broker cannot write its audit log, so it hands out no token. Ops must look at its log."


class TokenUnreadable(ServerError):
    default_code = "token_unreadable"
    default_advice = (
        "A sealing key is missing at the broker; its operators must act. The user does not need to reconnect."
    )


class InternalError(ServerError):
    default_code = "internal_error"
    default_advice = "An error in the broker. Search its log for the request id."


class BrokerUnreachable(Unavailable):
    """There was no answer, or a proxy in front of the broker answered. ``detail`` says which."""

    default_code = "broker_unreachable"
    default_advice = "The token broker does not answer. Try again later."

    @property
    def is_timeout(self) -> bool:
        """Whether nothing came in time. False: the call failed earlier, or was not made."""
        return bool(self._problem.get("is_timeout"))


class UntrustedAnswer(BrokerError):
    """The broker did not sign this answer for this request. The answer was not used."""

    default_code = "untrusted_answer"
    default_advice = "A proxy or cache may mix up answers, or the response key is wrong. An operator must look at it."


BY_CODE: dict[str, type[BrokerError]] = {
    cls.default_code: cls
    for cls in (
        InvalidSignature,
        ClockSkew,
        CallerForbidden,
        Frozen,
        NotConnected,
        NotFound,
        ReconnectRequired,
        ConnectRefused,
        AccountMismatch,
        ClaimsNotSatisfied,
        ConnectSessionExpired,
        CursorExpired,
        InvalidRequest,
        RateLimited,
        MicrosoftUnavailable,
        BrokerMisconfigured,
        DatabaseUnavailable,
        AuditUnavailable,
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
    cls = BY_CODE.get(str(problem.get("code"))) or BY_STATUS.get(status)
    return (cls or (ServerError if status >= 500 else BrokerError))(problem, status)
