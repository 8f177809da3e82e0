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
_LEASE_SECONDS = 1.0
"""For so long the other processes leave the short call to the one that makes it. It may die meanwhile."""


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
        try:
            size = struct.calcsize(self._FORMAT)
            _allocate(self._file, size)
            self._map = mmap.mmap(self._file, size)
        except BaseException:
            os.close(self._file)
            raise

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


def _allocate(file: int, size: int) -> None:
    """Raises OSError if the disk is full. In a file without blocks on a full disk, a write to the map would end the
    process with SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    elif os.pwrite(file, os.pread(file, size, 0).ljust(size, b"\0"), 0) < size:  # macOS
        raise OSError("the disk is full")


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
    that share it share what a timeout tells; they must have the same clock.

    Every failure opens it for this process. Only a timeout opens it for the others: a call that fails at once costs no
    time, and the cause may be this process (its network, DNS, certificates, file descriptors). A timeout may be its
    fault too. So it writes one to the store only once until it gets an answer itself, or another process writes a
    timeout. An answer to any process closes it for all.
    """

    def __init__(
        self, monotonic: Callable[[], float], open_seconds: float = OPEN_SECONDS, store: TimeStore | None = None
    ) -> None:
        self._monotonic, self.open_seconds = monotonic, open_seconds
        self._store = store or _Memory()
        self._open_until = 0.0
        self._wrote = 0.0
        """What this process has written to the store since its last answer."""
        self._lease, self._before_lease = 0.0, 0.0
        self._lock = ForkSafeLock()

    def enter(self) -> str:
        """``closed``: call. ``probe``: try first with a short timeout; nobody else does. ``open``: do not call."""
        if self._open_until == 0 and self._store.read() == 0:
            return "closed"
        with self._lock, self._store.locked():
            now, shared = self._monotonic(), self._shared()
            until = max(self._open_until, shared)
            if until == 0:
                return "closed"
            if now < until:
                return "open"
            self._open_until = now + self.open_seconds
            if shared:
                self._lease, self._before_lease = now + _LEASE_SECONDS, shared
                self._store.write(self._lease)
            return "probe"

    def seconds_left(self) -> float:
        return max(0.0, max(self._open_until, self._store.read()) - self._monotonic())

    def fail(self, *, is_timeout: bool) -> None:
        if self.open_seconds <= 0:
            return
        with self._lock, self._store.locked():
            self._open_until = self._monotonic() + self.open_seconds
            shared = self._shared()
            had_lease = shared != 0 and shared == self._lease
            if had_lease:
                shared = self._before_lease
            if is_timeout and (self._wrote == 0 or shared not in (0, self._wrote)):
                self._wrote = self._open_until
                self._store.write(self._wrote)
            elif had_lease:
                # Another process may try at once.
                self._store.write(shared)

    def succeed(self) -> None:
        if self._open_until != 0 or self._wrote != 0 or self._store.read() != 0:
            with self._lock, self._store.locked():
                self._open_until = self._wrote = 0.0
                self._store.write(0.0)

    def _shared(self) -> float:
        found = self._store.read()
        # A time that no process can have written since the machine started: the clock began again at 0.
        return 0.0 if found > self._monotonic() + self.open_seconds else found
