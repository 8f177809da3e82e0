"""The disconnects that this application sent, or learned from events. A restore of the broker's database, or a
failover that loses transactions, may undo some of them: ``Events`` repeats them then."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Protocol

KEEP_DAYS = 90
"""As long as the oldest backup of the broker's database that may be restored."""
_EARLIER = timedelta(seconds=15)
"""How much earlier than ``at`` of a disconnect that was sent its event may be: as long as an answer takes, and a clock
may be ahead. The event may be read before the answer comes."""


@dataclass(frozen=True)
class Disconnect:
    """The last one of a user."""

    user_id: str
    at: str
    """RFC 3339, in UTC."""
    is_confirmed: bool
    """Its event was read. Until then ``at`` is the time of this machine."""


class DisconnectStore(Protocol):
    """Processes that disconnect users and the process that reads events must share it."""

    def record(self, disconnect: Disconnect) -> None:
        """Keeps ``newer`` of what is stored about this user and ``disconnect``."""

    def load(self) -> Iterable[Disconnect]:
        """One for each user, none that is older than the oldest backup."""
        ...


def newer(known: Disconnect | None, other: Disconnect) -> Disconnect:
    """What is kept of a user: ``known``, or ``other``, which comes later."""
    if known is None:
        return other
    if not other.is_confirmed:
        # Its event may have been read already, by another process. It does not come a second time.
        is_known = known.is_confirmed and time_of(other.at) - time_of(known.at) <= _EARLIER
        return known if is_known else other
    ahead = time_of(known.at) - time_of(other.at)
    # An event that is much older than the disconnect that was sent belongs to an earlier disconnect.
    return known if ahead > (timedelta(0) if known.is_confirmed else _EARLIER) else other


def time_of(text: str) -> datetime:
    # Python 3.10 reads no Z.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def utc_text(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class FileDisconnects:
    """Disconnects in a file. Processes of one machine may share it. ``keep_days``: as long as the oldest backup of the
    broker's database that may be restored."""

    def __init__(self, path: str, keep_days: int = KEEP_DAYS) -> None:
        self._path, self._keep_days = path, keep_days

    def record(self, disconnect: Disconnect) -> None:
        with self._locked():
            line = json.dumps(asdict(disconnect)) + "\n"
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())

    def load(self) -> list[Disconnect]:
        with self._locked():
            found: dict[str, Disconnect] = {}
            lines = 0
            for disconnect in self._read():
                lines += 1
                found[disconnect.user_id] = newer(found.get(disconnect.user_id), disconnect)
            oldest = datetime.now(timezone.utc) - timedelta(days=self._keep_days)
            kept = [disconnect for disconnect in found.values() if time_of(disconnect.at) >= oldest]
            if lines > 2 * len(kept) + 100:
                self._replace(kept)
            return kept

    def _read(self) -> Iterator[Disconnect]:
        try:
            with open(self._path, encoding="utf-8") as file:
                for line in file:
                    # The last line is not whole if the machine stopped while it was written.
                    if line.endswith("\n"):
                        yield Disconnect(**json.loads(line))
        except FileNotFoundError:
            return

    def _replace(self, kept: list[Disconnect]) -> None:
        with open(f"{self._path}.new", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(disconnect)) + "\n" for disconnect in kept)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{self._path}.new", self._path)

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        # Not on every system; where it is missing, use a database.
        import fcntl

        with open(f"{self._path}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
