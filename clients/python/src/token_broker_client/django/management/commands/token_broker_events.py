from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ....events import Events, Resync
from ... import conf
from ...cursors import DatabaseCursor
from ...signals import integration_event


class Command(BaseCommand):
    help = "Reads the token broker's events for ever and sends the signal integration_event for each. One process is enough; it may be killed at any time."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--once", action="store_true", help="end when there is nothing left")
        parser.add_argument("--name", default="default", help="of the cursor, where several readers keep one each")

    def handle(self, *args: Any, **options: Any) -> None:
        # A receiver that raises ends the command before the cursor is saved: the event comes again at the next start.
        for event in Events(conf.client(), DatabaseCursor(options["name"]), wait=0 if options["once"] else 25):
            integration_event.send(sender=type(self), event=event)
            self.stdout.write(
                "resync" if isinstance(event, Resync) else f"{event.at} {event.type} user {event.user_id}"
            )
