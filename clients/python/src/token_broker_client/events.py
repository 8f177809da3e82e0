"""Events as an endless iterator that stores its position. Each event is delivered at least once: it may come again
after a crash, and none is lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from .answers import Integration, RawEvent
from .client import Client
from .disconnects import Disconnect
from .errors import CursorExpired, Unavailable


def _no_members() -> RawEvent:
    return RawEvent(id=0, at="", user_id="", type="")


@dataclass(frozen=True)
class Event:
    id: int
    at: str
    user_id: str
    """Empty for a freeze of a tenant or of a caller key; ``raw["freeze"]`` says of which."""
    type: str
    """``connected``, ``reconnected``, ``recovered``, ``reconnect_required``, ``disconnected``, ``imported``,
    ``frozen`` or ``unfrozen``. A later broker may send other types."""
    reason: str | None = None
    generation: int | None = None
    raw: RawEvent = field(default_factory=_no_members, repr=False, compare=False)
    """All members of the event as the broker sent them."""


@dataclass(frozen=True)
class Resync:
    """All integrations. It comes first, and again if the cursor has expired. Users that it does not contain are not
    connected. Each iteration over ``integrations`` lists them from the broker again."""

    integrations: Iterable[Integration]


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

    If the client has a store of disconnects, those that a restore of the broker's database may have undone are repeated
    before a ``Resync``. What was connected later stays.

    ``wait_seconds``: how long one request waits for an event (long polling). With 0 the iteration ends when no event is
    left. ``on_answer``: called after a ``Resync`` and after each page, also an empty one, when they were handled.
    """

    def __init__(
        self,
        client: Client,
        store: CursorStore,
        *,
        wait_seconds: int = 25,
        limit: int = 100,
        sleep: Callable[[float], None] = time.sleep,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self._client, self._store, self._limit, self._sleep = client, store, limit, sleep
        self._on_answer = on_answer
        self._wait_seconds = wait_seconds

    def __iter__(self) -> Iterator[Event | Resync]:
        cursor = self._store.load()
        pause = 1.0
        repeats: list[Disconnect] | None = None
        while True:
            try:
                if cursor is None:
                    # The list comes afterwards, so that it does not show what a restore has brought back.
                    repeats = self._known() if repeats is None else repeats
                    self._repeat(repeats)
                    repeats = None
                    first = self._client.list_integrations(limit=self._limit)
                    yield Resync(_AllIntegrations(self._client, self._limit))
                    cursor = first.events_cursor
                    self._store.save(cursor)
                    self._on_answer()
                sent = [disconnect for disconnect in self._known() if not disconnect.is_confirmed]
                page = self._client.read_events(cursor, self._limit, self._wait_seconds)
                pause = 1.0
                for raw in page.events:
                    if raw["type"] == "disconnected":
                        self._record(Disconnect(raw["user_id"], raw["at"], True))
                if sent and not page.more:
                    # All events were read, and those of these disconnects are missing: they were lost behind a cursor
                    # that is still good.
                    confirmed = {known.user_id for known in self._known() if known.is_confirmed}
                    self._repeat([disconnect for disconnect in sent if disconnect.user_id not in confirmed])
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
            self._on_answer()
            if self._wait_seconds == 0 and not page.more:
                return

    def _known(self) -> list[Disconnect]:
        store = self._client.disconnects
        return [] if store is None else list(store.load())

    def _record(self, disconnect: Disconnect) -> None:
        if self._client.disconnects is not None:
            self._client.disconnects.record(disconnect)

    def _repeat(self, disconnects: list[Disconnect]) -> None:
        """Empties the list, so that a failure in the middle does not begin again."""
        while disconnects:
            disconnect = disconnects[-1]
            self._client.disconnect(disconnect.user_id, connected_before=disconnect.at)
            if not disconnect.is_confirmed:
                self._record(replace(disconnect, is_confirmed=True))
            disconnects.pop()


class _AllIntegrations:
    """Lists all integrations again for each iteration, because several receivers may iterate."""

    def __init__(self, client: Client, limit: int) -> None:
        self._client, self._limit = client, limit

    def __iter__(self) -> Iterator[Integration]:
        after: str | None = None
        while True:
            page = self._client.list_integrations(after, self._limit)
            yield from page.integrations
            if page.next is None:
                return
            after = page.next
