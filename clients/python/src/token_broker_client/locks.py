"""Locks that a child process can use: after a fork, the thread that held one does not exist in the child."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any


class ForkSafeLock:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        _all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: Any) -> None:
        self._lock.release()


_all: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()


def _replace_all() -> None:
    for lock in list(_all):
        lock._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_all)
