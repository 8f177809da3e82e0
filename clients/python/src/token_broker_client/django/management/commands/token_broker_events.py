from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ....events import Resync
from ... import feed


class Command(BaseCommand):
    help = (
        "Reads the token broker's events until it is stopped, keeps the statuses of connections, and sends the signal "
        "integration_event for each. Run one process. It can be killed at any time."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--once", action="store_true", help="end when no event is left")
        parser.add_argument(
            "--name", default=feed.DEFAULT_NAME, help="name of the cursor, if several readers have one each"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # If a receiver raises, the command ends before the cursor is saved. The event comes again at the next start.
        for event in feed.read_events(options["name"], 0 if options["once"] else 25):
            if isinstance(event, Resync):
                self.stdout.write("resync")
            else:
                self.stdout.write(f"{event.at} {event.type} user {event.user_id}")
