from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import is_naive, make_aware

from ....client import Client
from ....errors import BrokerError, ReconnectRequired
from ....tokens import Token
from ... import conf, old_table
from ...old_table import value_of

BATCH = 500


class Command(BaseCommand):
    help = (
        "Hands the old table's connections over to the token broker, straight from the database: no file of tokens ever exists. "
        "Judges only, without --apply; may be interrupted and repeated. TOKEN_BROKER['IMPORT'] names MODEL and FIELDS."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--apply", action="store_true", help="store; without it, nothing is changed")
        parser.add_argument(
            "--prove",
            type=int,
            metavar="N",
            help="with --apply: refresh each imported or unchanged user at Microsoft, at most N a minute",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["prove"] is not None and not (options["apply"] and options["prove"] > 0):
            raise CommandError("--prove needs --apply and a number of users a minute")
        problems = old_table.problems()
        if problems:
            raise CommandError("; ".join(problems))
        client = conf.client()
        totals: Counter[str] = Counter()
        proof: Counter[str] = Counter()
        for batch in batches(self.rows()):
            results = client.import_rows(batch, dry_run=not options["apply"])
            for result in results:
                totals[result["result"]] += 1
                why = result.get("reason") or "; ".join(result.get("reasons", []))
                if why:
                    self.stderr.write(f"user {result.get('user_id', '?')}: {result['result']}: {why}")
            self.stdout.write(f"{sum(totals.values())} rows: {told(totals)}")
            if options["prove"]:
                self.prove(client, results, options["prove"], proof)
        self.stdout.write(
            ("Done. " if options["apply"] else "Dry run, nothing was stored (--apply stores). ") + told(totals)
        )
        if options["prove"]:
            self.stdout.write(
                f"Proved at Microsoft: {proof['works']} work, {proof['reconnect']} must reconnect, {proof['unknown']} could not be tried"
            )
        if totals["invalid"]:
            raise CommandError(f"{totals['invalid']} rows are not of the right form; the others are not concerned")

    def rows(self) -> Iterator[dict[str, Any]]:
        """Page by page, each read when it is needed: proving takes long, and who disconnects meanwhile is gone from the old table."""
        given = conf.values().get("IMPORT") or {}
        rows = apps.get_model(given["MODEL"])._default_manager.order_by("pk")
        page = list(rows[:BATCH])
        while page:
            for row in page:
                yield {name: plain(value_of(row, source)) for name, source in given["FIELDS"].items()}
            page = list(rows.filter(pk__gt=page[-1].pk)[:BATCH])

    def prove(self, client: Client, results: list[dict[str, Any]], per_minute: int, proof: Counter[str]) -> None:
        """A refresh is the only proof that a refresh token lives. Evenly spread: Microsoft throttles bursts."""
        for result in results:
            # Also what a run that was interrupted had imported. Where a later generation is stored by now, it costs no refresh.
            if result["result"] not in ("imported", "unchanged"):
                continue
            time.sleep(60 / per_minute)
            held = Token(result["user_id"], "", "", 0, "", [], result["generation"], {})
            try:
                client.refresh(held)
                proof["works"] += 1
            except ReconnectRequired as error:
                proof["reconnect"] += 1
                self.stderr.write(f"user {result['user_id']}: must reconnect: {error.reason}")
            except BrokerError as error:
                proof["unknown"] += 1
                self.stderr.write(f"user {result['user_id']}: could not be tried: {error.code}")


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (make_aware(value) if is_naive(value) else value).isoformat()
    return value if value is None or isinstance(value, (str, list)) else str(value)


def batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def told(totals: Counter[str]) -> str:
    return ", ".join(f"{name} {totals[name]}" for name in ("imported", "unchanged", "skipped", "invalid"))
