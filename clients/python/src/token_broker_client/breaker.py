"""After the broker has not answered, calls fail at once for some seconds. So a broker that hangs does not hold every
worker of the application."""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import struct
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from .locks import ForkSafeLock

OPEN_SECONDS = 5.0
"""For so long after a call without an answer no other call is made. Then one short call tries."""
PROBE_SECONDS = 0.25
"""Timeout of that short call."""


class TimeStore(Protocol):
    """Holds one time, in seconds of the clock of the breaker. 0: none."""

    def read(self) -> float: ...

    def write(self, value: float) -> None: ...

    def locked(self) -> AbstractContextManager[None]:
        """No other process writes meanwhile."""
        ...


class _Memory:
    def __init__(self) -> None:
        self._value = 0.0

    def read(self) -> float:
        return self._value

    def write(self, value: float) -> None:
        self._value = value

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        yield


class _SharedMemory:
    """In a file of 8 bytes, which is mapped into memory: reading it costs no system call."""

    _FORMAT = "d"

    def __init__(self, path: str) -> None:
        import fcntl

        self._fcntl = fcntl
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        size = struct.calcsize(self._FORMAT)
        if os.fstat(self._file).st_size < size:
            os.ftruncate(self._file, size)
        self._map = mmap.mmap(self._file, size)

    def read(self) -> float:
        found: float = struct.unpack_from(self._FORMAT, self._map)[0]
        return found

    def write(self, value: float) -> None:
        struct.pack_into(self._FORMAT, self._map, 0, value)

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        # lockf and not flock: a lock of flock would be shared with a process that was forked.
        self._fcntl.lockf(self._file, self._fcntl.LOCK_EX)
        try:
            yield
        finally:
            self._fcntl.lockf(self._file, self._fcntl.LOCK_UN)


_opened: dict[str, _SharedMemory] = {}
"""To close one of two files of a process would end the locks of both."""
_lock = ForkSafeLock()


def shared_time(name: str) -> TimeStore:
    """A time that all processes of this machine (or container) share that run as the same user and give the same
    ``name``. Where that is not possible, only this process has it."""
    try:
        user = os.getuid()
        folder = os.path.join(tempfile.gettempdir(), f"token-broker-client-{user}")
        os.makedirs(folder, 0o700, exist_ok=True)
        found = os.lstat(folder)
        # All users may create a folder of this name in /tmp.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
            return _Memory()
        path = os.path.join(folder, hashlib.sha256(name.encode()).hexdigest()[:32])
        with _lock:
            if path not in _opened:
                _opened[path] = _SharedMemory(path)
            return _opened[path]
    except (OSError, AttributeError, ImportError, ValueError):
        # A file system without write access, or not a Unix.
        return _Memory()


class Breaker:
    """``monotonic``: a clock in seconds. ``open_seconds`` 0: it never opens. Threads may share it. ``store``: processes
    that share it share the breaker; they must have the same clock. Default: each process has its own."""

    def __init__(
        self, monotonic: Callable[[], float], open_seconds: float = OPEN_SECONDS, store: TimeStore | None = None
    ) -> None:
        self._monotonic, self.open_seconds = monotonic, open_seconds
        self._open_until = store or _Memory()
        self._lock = ForkSafeLock()

    def enter(self) -> str:
        """``closed``: call. ``probe``: try first with a short timeout; nobody else does. ``open``: do not call."""
        if self._open_until.read() == 0:
            return "closed"
        with self._lock, self._open_until.locked():
            until, now = self._open_until.read(), self._monotonic()
            # A time that no process can have written since the machine started: the clock began again at 0.
            if until == 0 or until > now + self.open_seconds:
                return "closed"
            if now < until:
                return "open"
            self._open_until.write(now + self.open_seconds)
            return "probe"

    def seconds_left(self) -> float:
        return max(0.0, self._open_until.read() - self._monotonic())

    def fail(self) -> None:
        if self.open_seconds > 0:
            with self._lock:
                self._open_until.write(self._monotonic() + self.open_seconds)

    def succeed(self) -> None:
        if self._open_until.read() != 0:
            with self._lock:
                self._open_until.write(0.0)
