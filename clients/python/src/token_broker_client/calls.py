"""One call to the broker: signed anew for each attempt, its answer verified, within a deadline."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

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
from .messages import Request, Response, check_target, fields_of, normalize_authority, split_origin
from .signing import Refused, sign_request, verify_response
from .transports import NoAnswer, Transport

LONGEST_PAUSE = 2.0
"""Seconds that a call itself waits for a Retry-After; who has to wait longer is told."""


class Calls:
    """Everything between a call and the wire. Safe to share between threads."""

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
    ) -> None:
        self._scheme, host = split_origin(address)
        self._address = address.rstrip("/")
        self._authority = normalize_authority(authority or host, self._scheme)
        self._key, self._response_key, self._transport = key, response_key, transport
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep
        self._lock = threading.Lock()
        self._offset = 0.0
        """Seconds the broker's clock is ahead of ours."""
        self._not_before = 0.0
        """The broker asked this caller to slow down until then (monotonic)."""

    def call(self, method: str, target: str, body: dict[str, Any] | None = None, deadline: float = 9.0) -> Any:
        """The JSON of a good answer; raises BrokerError. ``deadline`` in seconds, for all attempts together, but each
        read of an answer that has begun may take what is left of it. Every call of the
        broker may be repeated, so one that was not answered is tried once more."""
        until = self._monotonic() + deadline
        self._wait_for_leave(until)
        corrected, again = False, True
        while True:
            try:
                return self._attempt(method, target, body, max(0.1, until - self._monotonic()))
            except _WrongClock as wrong:
                if corrected:
                    raise ClockSkew(status=401) from None
                corrected = True
                with self._lock:
                    self._offset = wrong.broker_time - self._clock()
            except Unavailable as failure:
                if isinstance(failure, RateLimited):
                    with self._lock:
                        self._not_before = self._monotonic() + (failure.retry_after or 1)
                pause = failure.retry_after or 0.0
                if not again or pause > LONGEST_PAUSE or self._monotonic() + pause >= until:
                    raise
                again = False
                self._sleep(pause)

    def _wait_for_leave(self, until: float) -> None:
        pause = self._not_before - self._monotonic()
        if pause <= 0:
            return
        if pause > LONGEST_PAUSE or self._monotonic() + pause >= until:
            raise RateLimited({"code": "rate_limited", "retry_after": pause}, 429)
        self._sleep(pause)

    def _attempt(self, method: str, target: str, body: dict[str, Any] | None, timeout: float) -> Any:
        content = () if body is None else (("content-type", "application/json"),)
        request = Request(
            method,
            self._address,
            self._authority,
            self._scheme,
            check_target(target),
            (("accept", "application/json"), *content),
            None if body is None else json.dumps(body).encode(),
        )
        signed = sign_request(request, self._key, self._clock() + self._offset)
        try:
            response = self._transport.send(signed, timeout)
        except NoAnswer as failure:
            raise BrokerUnreachable({"detail": str(failure)}) from None
        self._believe(response, signed)
        return _read(response)

    def _believe(self, response: Response, request: Request) -> None:
        if self._response_key is None:
            self._check_clock_unverified(response)
            return
        verdict = verify_response(response, request, self._response_key, self._clock() + self._offset)
        if isinstance(verdict, Refused):
            if verdict.created is not None:
                raise _WrongClock(verdict.created)
            raise _unproven(response, verdict.why)
        if response.status == 401 and _problem(response).get("code") == "clock_skew":
            raise _WrongClock(verdict.created)

    def _check_clock_unverified(self, response: Response) -> None:
        if response.status == 401 and _problem(response).get("code") == "clock_skew":
            dates = fields_of(response.headers).get("date", [])
            if len(dates) == 1:
                raise _WrongClock(parsedate_to_datetime(dates[0]).timestamp())


class _WrongClock(Exception):
    def __init__(self, broker_time: float) -> None:
        self.broker_time = broker_time


def _unproven(response: Response, why: str) -> BrokerError:
    """The broker signs only for callers it knows, and a proxy in front of it does not sign at all."""
    if why == "unsigned" and response.status == 401:
        return InvalidSignature(status=401)
    if why == "unsigned" and response.status in (502, 503, 504):
        return BrokerUnreachable({"detail": f"a proxy answered {response.status}"}, response.status)
    return UntrustedAnswer({"detail": why}, response.status)


def _problem(response: Response) -> dict[str, Any]:
    try:
        body = json.loads(response.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _read(response: Response) -> Any:
    if response.status < 300:
        return json.loads(response.body) if response.body else None
    raise error_for(response.status, _problem(response))
