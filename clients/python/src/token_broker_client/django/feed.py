"""Reads the events of the broker. ``manage.py token_broker_events`` does it all the time; ``sync`` is for a Celery task
or a call from cron, at least every 10 minutes."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone

from ..events import Event, Events, Resync
from . import conf, statuses
from .cursors import DatabaseCursor
from .models import EventCursor
from .signals import integration_event

DEFAULT_NAME = "default"


def read_events(name: str = DEFAULT_NAME, wait_seconds: int = 0) -> Iterator[Event | Resync]:
    """Sends ``integration_event`` for each event, and yields it. ``name``: of the cursor. If a receiver raises, the
    cursor is not saved, and the event comes again the next time. Raises BrokerError; with ``wait_seconds`` it waits for
    the broker instead, and does not end."""

    def note_answer() -> None:
        EventCursor.objects.filter(name=name).update(read_at=timezone.now())
        statuses.complete()

    for event in Events(conf.get_client(), DatabaseCursor(name), wait_seconds=wait_seconds, on_answer=note_answer):
        integration_event.send(sender=Events, event=event)
        yield event


def sync(name: str = DEFAULT_NAME) -> int:
    """Reads the events that have come since the last call. Returns how many. Several calls at the same time do no
    harm. Raises BrokerError."""
    return sum(1 for _ in read_events(name))
