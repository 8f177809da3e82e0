"""After the broker has not answered, calls fail at once for some seconds. So a broker that hangs does not hold every
worker of the application."""

from __future__ import annotations

from collections.abc import Callable

from .locks import ForkSafeLock

OPEN_SECONDS = 5.0
"""For so long after a call without an answer no other call is made. Then one short call tries."""
PROBE_SECONDS = 0.25
"""Timeout of that short call."""


class Breaker:
    """``monotonic``: a clock in seconds. ``open_seconds`` 0: it never opens. Threads may share it. Each process has its
    own."""

    def __init__(self, monotonic: Callable[[], float], open_seconds: float = OPEN_SECONDS) -> None:
        self._monotonic, self._open_seconds = monotonic, open_seconds
        self._open_until: float | None = None
        self._lock = ForkSafeLock()

    def enter(self) -> str:
        """``closed``: call. ``probe``: try first with a short timeout; nobody else does. ``open``: do not call."""
        with self._lock:
            if self._open_until is None:
                return "closed"
            now = self._monotonic()
            if now < self._open_until:
                return "open"
            self._open_until = now + self._open_seconds
            return "probe"

    def seconds_left(self) -> float:
        until = self._open_until
        return 0.0 if until is None else max(0.0, until - self._monotonic())

    def fail(self) -> None:
        if self._open_seconds <= 0:
            return
        with self._lock:
            self._open_until = self._monotonic() + self._open_seconds

    def succeed(self) -> None:
        if self._open_until is not None:
            with self._lock:
                self._open_until = None
