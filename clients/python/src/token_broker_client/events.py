"""Events as an endless iterator that stores its position. Each event is delivered at least once: it may come again
after a crash, and none is lost."""

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
    """Empty for a freeze of a tenant or of a caller key; ``raw["freeze"]`` says of which."""
    type: str
    """``connected``, ``reconnected``, ``recovered``, ``reconnect_required``, ``disconnected``, ``imported``,
    ``frozen`` or ``unfrozen``. A later
    broker may send other types."""
    reason: str | None = None
    generation: int | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """All members of the event as the broker sent them."""


@dataclass(frozen=True)
class Resync:
    """All integrations. It comes first, and again if the cursor has expired. Users that it does not contain are not
    connected. Each iteration over ``integrations`` lists them from the broker again."""

    integrations: Iterable[dict[str, Any]]


class CursorStore(Protocol):
    def load(self) -> str | None: ...

    def save(self, cursor: str) -> None: ...


class FileCursor:
    """A cursor in a file. The file is replaced as a whole, so a crash leaves either the old or the new cursor."""

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
    """``for event in Events(client, store)``. The cursor is saved when the loop asks for the first event after a
    page, so events of an unfinished page come again.

    ``wait_seconds``: how long one request waits for an event (long polling). With 0 the iteration ends when no event is
    left.
    """

    def __init__(
        self,
        client: Client,
        store: CursorStore,
        *,
        wait_seconds: int = 25,
        limit: int = 100,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._store, self._limit, self._sleep = client, store, limit, sleep
        self._wait_seconds = wait_seconds

    def __iter__(self) -> Iterator[Event | Resync]:
        cursor = self._store.load()
        pause = 1.0
        while True:
            try:
                if cursor is None:
                    first = self._client.list_integrations(limit=self._limit)
                    yield Resync(_AllIntegrations(self._client, self._limit))
                    cursor = first.events_cursor
                    self._store.save(cursor)
                page = self._client.read_events(cursor, self._limit, self._wait_seconds)
                pause = 1.0
            except CursorExpired:
                cursor = None
                continue
            except Unavailable as failure:
                if self._wait_seconds == 0:
                    raise
                self._sleep(max(failure.retry_after or 0.0, pause))
                pause = min(pause * 2, 60.0)
                continue
            for raw in page.events:
                self._client.forget_frozen(raw)
                yield Event(
                    raw["id"], raw["at"], raw["user_id"], raw["type"], raw.get("reason"), raw.get("generation"), raw
                )
            if page.cursor != cursor:
                cursor = page.cursor
                self._store.save(cursor)
            if self._wait_seconds == 0 and not page.more:
                return


class _AllIntegrations:
    """Lists all integrations again for each iteration, because several receivers may iterate."""

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
