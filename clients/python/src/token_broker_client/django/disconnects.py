from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from datetime import timezone as zones

from django.db import DatabaseError, transaction
from django.utils import timezone

from .. import disconnects
from .models import ConnectAttempt, Disconnect

log = logging.getLogger("token_broker_client")


class DatabaseDisconnects:
    """Disconnects in Django's database."""

    def __init__(self, keep_days: int = disconnects.KEEP_DAYS) -> None:
        self._keep_days = keep_days

    def record(self, disconnect: disconnects.Disconnect) -> None:
        try:
            self.write(disconnect)
        except DatabaseError as error:
            # The user is disconnected, which must not look like a failure. The event will come as well.
            log.error("a disconnect was not recorded for a later restore: %s", type(error).__name__)

    def write(self, disconnect: disconnects.Disconnect) -> None:
        """As ``record``, and raises if it fails."""
        with transaction.atomic():
            row = Disconnect.objects.select_for_update().filter(user_id=disconnect.user_id).first()
            kept = disconnects.newer(None if row is None else _read(row), disconnect)
            Disconnect.objects.update_or_create(
                user_id=kept.user_id,
                defaults={"at": disconnects.time_of(kept.at), "is_confirmed": kept.is_confirmed},
            )

    def load(self) -> Iterator[disconnects.Disconnect]:
        oldest = timezone.now() - timedelta(days=self._keep_days)
        Disconnect.objects.filter(at__lt=oldest).delete()
        for row in Disconnect.objects.order_by("user_id").iterator():
            yield _read(row)


def _read(row: Disconnect) -> disconnects.Disconnect:
    return disconnects.Disconnect(row.user_id, disconnects.utc_text(row.at), row.is_confirmed)


_CLOCKS_DIFFER = timedelta(seconds=60)
"""At most so much do the clocks of two processes differ."""


def may_use_memory(user_id: str, fetched_at: float) -> bool:
    """Whether this site knows of no disconnect and of no other account since the token in memory was fetched. Asked
    only while the broker does not answer."""
    since = datetime.fromtimestamp(fetched_at, zones.utc) - _CLOCKS_DIFFER
    try:
        return not (
            Disconnect.objects.filter(user_id=user_id, at__gte=since).exists()
            or ConnectAttempt.objects.filter(user_id=user_id, completed_at__gte=since).exists()
        )
    except DatabaseError:
        return False


def disconnected_at(user_id: str) -> datetime | None:
    """When this user last disconnected, as far as this site knows."""
    row = Disconnect.objects.filter(user_id=user_id).first()
    return None if row is None else row.at
