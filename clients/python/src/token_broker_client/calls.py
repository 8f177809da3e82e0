"""One call to the broker. Each attempt gets a new signature, the answer is verified, and all attempts share one
timeout."""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, cast

from .breaker import PROBE_SECONDS, Breaker, TimeStore
from .errors import (
    BrokerError,
    BrokerUnreachable,
    ClockSkew,
    InvalidSignature,
    RateLimited,
    Unavailable,
    UntrustedAnswer,
    error_for,
)
from .keys import SigningKey, VerificationKey
from .locks import ForkSafeLock
from .messages import Headers, Request, Response, check_target, headers_by_name, normalize_authority, split_origin
from .signing import VerificationFailed, sign_request, verify_response
from .transports import Transport, TransportError
from .version import USER_AGENT

MAX_PAUSE_SECONDS = 2.0
"""A call waits at most this long for a Retry-After. For a longer one it raises at once."""
SHORT_TIMEOUT_SECONDS = 0.5
"""A call with a shorter timeout than this may fail although the broker answers others in time."""
CHECK_SECONDS = 5.0
NOT_ASKED = "not asked, because it did not answer a moment ago"
SILENT = "no answer, and none to a second call"
LISTEN_SHARE = 0.25
"""After this share of its timeout without an answer, a call asks with a second one whether the broker is alive. The
second has as long."""
_PROBE_TARGET = "/integrations/token-broker-check"
"""A user that does not exist. Any answer will do."""


class SignedCalls:
    """Everything between the client and the transport. Safe to share between threads.

    ``clock``: seconds since the epoch. ``monotonic``: seconds of a clock that never jumps.
    """

    def __init__(
        self,
        address: str,
        authority: str | None,
        key: SigningKey,
        response_key: VerificationKey | None,
        transport: Transport,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        breaker_seconds: float,
        breaker_store: TimeStore | None = None,
    ) -> None:
        self._scheme, host = split_origin(address)
        self._address = address.rstrip("/")
        self._authority = normalize_authority(authority or host, self._scheme)
        self._key, self._response_key, self._transport = key, response_key, transport
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep
        self._lock = ForkSafeLock()
        self._breaker = Breaker(monotonic, breaker_seconds, breaker_store)
        self._answers = 0
        """How many answers have come from the broker."""
        self._clock_offset = 0.0
        """How many seconds the broker's clock is ahead of ours."""
        self._paused_until = 0.0
        """The broker asked this caller to send nothing before this time (monotonic)."""

    def call(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None,
        timeout_seconds: float,
        headers: Headers = (),
    ) -> Any:
        """The JSON of a successful answer. Raises BrokerError.

        ``timeout_seconds`` is for all attempts together. The transport applies what is left of it to each read, so an
        answer that arrives slowly may take longer. A call that failed with 503 or without an answer is tried once more:
        every call of the broker can be repeated.

        If nothing comes from the broker during a call, calls raise BrokerUnreachable at once for ``breaker_seconds``;
        after a timeout, also those of other processes with the same ``breaker_store``.
        """
        answers = self._answers
        state = self._breaker.enter()
        if state == "open":
            raise BrokerUnreachable({"detail": NOT_ASKED, "retry_after": self._breaker.seconds_left()})
        try:
            if state == "probe":
                self._probe()
                self._breaker.succeed()
            answer = self._call(method, target, body, timeout_seconds, headers)
        except BrokerUnreachable as failure:
            is_long = timeout_seconds >= SHORT_TIMEOUT_SECONDS
            # One of several replicas may hang, or an answer may come too late, while others come.
            if (state == "probe" or is_long) and self._answers == answers:
                self._breaker.fail(is_timeout=failure.is_timeout)
            raise
        except BrokerError:
            self._breaker.succeed()
            raise
        self._breaker.succeed()
        return answer

    def which_listener(self) -> str | None:
        """``public`` or ``operations``, if the address is that of another listener of the broker than the internal one.
        Only for checks: the answer is not signed."""
        request = Request(
            "GET", self._address, self._authority, self._scheme, "/livez", (("user-agent", USER_AGENT),), None
        )
        try:
            answer = self._transport.send(request, CHECK_SECONDS)
        except TransportError:
            return None
        if answer.status == 200 and _problem_of(answer).get("alive") is True:
            return "operations"
        kinds = headers_by_name(answer.headers).get("content-type", [])
        return "public" if answer.status == 404 and any(kind.startswith("text/html") for kind in kinds) else None

    def _probe(self, timeout_seconds: float = PROBE_SECONDS) -> None:
        try:
            self._attempt("GET", _PROBE_TARGET, None, timeout_seconds, (), self._transport.send)
        except BrokerUnreachable:
            raise
        except (BrokerError, _WrongClock):
            pass

    def _call(
        self, method: str, target: str, body: dict[str, Any] | None, timeout_seconds: float, headers: Headers
    ) -> Any:
        deadline = self._monotonic() + timeout_seconds
        self._wait_while_rate_limited(deadline)
        clock_corrected, may_retry = False, True
        while True:
            try:
                return self._attempt(method, target, body, max(0.1, deadline - self._monotonic()), headers)
            except _WrongClock as wrong:
                if clock_corrected:
                    raise ClockSkew(status=401) from None
                clock_corrected = True
                with self._lock:
                    self._clock_offset = wrong.broker_time - self._clock()
            except Unavailable as failure:
                if isinstance(failure, RateLimited):
                    with self._lock:
                        self._paused_until = self._monotonic() + (failure.retry_after or 1)
                pause = failure.retry_after or 0.0
                may_retry = may_retry and failure.detail != SILENT
                if not may_retry or pause > MAX_PAUSE_SECONDS or self._monotonic() + pause >= deadline:
                    raise
                may_retry = False
                self._sleep(pause)

    def broker_time(self) -> float:
        """Seconds since the epoch, by the broker's clock as far as it is known."""
        return self._clock() + self._clock_offset

    def _wait_while_rate_limited(self, deadline: float) -> None:
        pause = self._paused_until - self._monotonic()
        if pause <= 0:
            return
        if pause > MAX_PAUSE_SECONDS or self._monotonic() + pause >= deadline:
            raise RateLimited({"code": "rate_limited", "retry_after": pause}, 429)
        self._sleep(pause)

    def _attempt(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None,
        timeout_seconds: float,
        headers: Headers,
        send: Callable[[Request, float], Response] | None = None,
    ) -> Any:
        content_type = () if body is None else (("content-type", "application/json"),)
        request = Request(
            method,
            self._address,
            self._authority,
            self._scheme,
            check_target(target),
            (("accept", "application/json"), ("user-agent", USER_AGENT), *content_type, *headers),
            None if body is None else json.dumps(body).encode(),
        )
        signed = sign_request(request, self._key, self.broker_time())
        try:
            response = (send or self._send)(signed, timeout_seconds)
        except TransportError as failure:
            raise BrokerUnreachable({"detail": str(failure), "is_timeout": failure.is_timeout}) from None
        self._verify(response, signed)
        self._answers += 1
        return _read(response)

    def _send(self, request: Request, timeout_seconds: float) -> Response:
        """A broker that hangs is found out in half of the timeout. A broker that is alive gets all of it: it may wait
        for Microsoft."""
        if self._breaker.open_seconds <= 0 or timeout_seconds < SHORT_TIMEOUT_SECONDS:
            return self._transport.send(request, timeout_seconds)
        answers, listen = self._answers, timeout_seconds * LISTEN_SHARE
        sending = _Sending(self._transport, request, timeout_seconds)
        if not sending.is_over(listen) and self._answers == answers:
            try:
                self._probe(listen)
            except BrokerUnreachable as failure:
                if not sending.is_over(0):
                    # The thread ends at its timeout. Nobody waits for it.
                    raise BrokerUnreachable({"detail": SILENT, "is_timeout": failure.is_timeout}) from None
        return sending.answer()

    def _verify(self, response: Response, request: Request) -> None:
        if self._response_key is None:
            self._check_clock_unverified(response)
            return
        result = verify_response(response, request, self._response_key, self.broker_time())
        if isinstance(result, VerificationFailed):
            if result.created is not None:
                raise _WrongClock(result.created)
            raise _verification_error(response, result.reason)
        if response.status == 401 and _problem_of(response).get("code") == "clock_skew":
            raise _WrongClock(result.created)

    def _check_clock_unverified(self, response: Response) -> None:
        if response.status == 401 and _problem_of(response).get("code") == "clock_skew":
            dates = headers_by_name(response.headers).get("date", [])
            broker_time = _time_of(dates[0]) if len(dates) == 1 else None
            if broker_time is not None:
                raise _WrongClock(broker_time)


class _Sending:
    """A request that is sent in a thread of its own, so that others can be sent meanwhile."""

    def __init__(self, transport: Transport, request: Request, timeout_seconds: float) -> None:
        self._response: Response | None = None
        self._error: BaseException | None = None
        self._over = threading.Event()
        work = contextvars.copy_context().run
        thread = threading.Thread(
            target=work, args=(self._send, transport, request, timeout_seconds), name="token-broker", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            # There are too many threads, or the interpreter ends.
            self._send(transport, request, timeout_seconds)

    def _send(self, transport: Transport, request: Request, timeout_seconds: float) -> None:
        try:
            self._response = transport.send(request, timeout_seconds)
        except BaseException as error:
            self._error = error
        finally:
            self._over.set()

    def is_over(self, wait_seconds: float) -> bool:
        return self._over.wait(wait_seconds)

    def answer(self) -> Response:
        self._over.wait()
        if self._error is not None:
            raise self._error
        assert self._response is not None
        return self._response


class _WrongClock(Exception):
    def __init__(self, broker_time: float) -> None:
        self.broker_time = broker_time


def _verification_error(response: Response, reason: str) -> BrokerError:
    """The broker signs only for callers that it knows. A proxy in front of it does not sign at all."""
    if reason == "unsigned" and response.status == 401:
        return InvalidSignature(status=401)
    if reason == "unsigned" and response.status == 429:
        # The broker's limit for requests that it cannot verify, or a proxy's.
        return RateLimited({"code": "rate_limited"}, 429)
    if reason == "unsigned" and response.status in (502, 503, 504):
        return BrokerUnreachable({"detail": f"a proxy answered {response.status}"}, response.status)
    return UntrustedAnswer({"detail": reason}, response.status)


def _time_of(date: str) -> float | None:
    """None: it cannot be read, and the clock stays as it is."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _problem_of(response: Response) -> dict[str, Any]:
    try:
        body: object = json.loads(response.body)
    except ValueError:
        return {}
    return _object(body) or {}


def _object(value: object) -> dict[str, Any] | None:
    """Keys of a JSON object are strings."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


class _Answer(dict[str, Any]):
    """A member that the answer lacks makes the whole answer useless."""

    def __missing__(self, name: str) -> Any:
        raise UntrustedAnswer({"detail": f"no {name}"}, 200)


def _read(response: Response) -> Any:
    if response.status >= 300:
        raise error_for(response.status, _problem_of(response))
    if response.status == 204:
        return None
    try:
        body = _object(json.loads(response.body))
    except ValueError:
        raise UntrustedAnswer({"detail": "no JSON"}, response.status) from None
    if body is None:
        raise UntrustedAnswer({"detail": "no JSON object"}, response.status)
    return _Answer(body)
