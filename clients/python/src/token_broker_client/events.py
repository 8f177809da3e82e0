"""Events as an endless iterator that remembers how far it came. Delivered at least once: an event may come again after a crash, none is
left out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from .client import Client
from .errors import CursorExpired, Unavailable


@dataclass(frozen=True)
class Event:
    id: int
    at: str
    user_id: str
    type: str
    """``connected``, ``reconnected``, ``recovered``, ``reconnect_required``, ``disconnected``, ``imported``; more may come."""
    reason: str | None = None
    generation: int | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Resync:
    """Comes first, and when too much was missed: everything that is connected. Users it does not name have nothing connected.
    ``integrations`` may be gone through as often as wanted: each time it asks the broker anew."""

    integrations: Iterable[dict[str, Any]]


class CursorStore(Protocol):
    def load(self) -> str | None: ...

    def save(self, cursor: str) -> None: ...


class FileCursor:
    """A cursor in a file that is replaced as a whole: a crash leaves the old one or the new one."""

    def __init__(self, path: str) -> None:
        self._path = path

    def load(self) -> str | None:
        try:
            with open(self._path, encoding="ascii") as file:
                return file.read().strip() or None
        except FileNotFoundError:
            return None

    def save(self, cursor: str) -> None:
        with open(f"{self._path}.new", "w", encoding="ascii") as file:
            file.write(cursor)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{self._path}.new", self._path)


class Events:
    """``for event in Events(client, store)``: the cursor is saved when the loop asks for what comes after a page, so what was not dealt
    with comes again. ``wait``: seconds of long polling; 0 ends the iteration when there is nothing left."""

    def __init__(
        self,
        client: Client,
        store: CursorStore,
        *,
        wait: int = 25,
        limit: int = 100,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._store, self._wait, self._limit, self._sleep = client, store, wait, limit, sleep

    def __iter__(self) -> Iterator[Event | Resync]:
        cursor = self._store.load()
        pause = 1.0
        while True:
            try:
                if cursor is None:
                    first = self._client.list_integrations(limit=self._limit)
                    yield Resync(_Integrations(self._client, self._limit))
                    cursor = first.events_cursor
                    self._store.save(cursor)
                page = self._client.read_events(cursor, self._limit, self._wait)
                pause = 1.0
            except CursorExpired:
                cursor = None
                continue
            except Unavailable as failure:
                if self._wait == 0:
                    raise
                self._sleep(max(failure.retry_after or 0.0, pause))
                pause = min(pause * 2, 60.0)
                continue
            for raw in page.events:
                yield Event(
                    raw["id"], raw["at"], raw["user_id"], raw["type"], raw.get("reason"), raw.get("generation"), raw
                )
            if page.cursor != cursor:
                cursor = page.cursor
                self._store.save(cursor)
            if self._wait == 0 and not page.more:
                return


class _Integrations:
    """Everything that is connected, listed anew by each that goes through it: several receivers may."""

    def __init__(self, client: Client, limit: int) -> None:
        self._client, self._limit = client, limit

    def __iter__(self) -> Iterator[dict[str, Any]]:
        after: str | None = None
        while True:
            page = self._client.list_integrations(after, self._limit)
            yield from page.integrations
            if page.next is None:
                return
            after = page.next
