from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ....client import Client
from ....errors import BrokerError, ReconnectRequired
from ....tokens import Token
from ... import conf, old_table

BATCH_ROWS = 500
"""Rows of one request. The broker accepts no more."""


class Command(BaseCommand):
    help = (
        "Imports the connections of the old table into the token broker, directly from the database: "
        "the tokens are never in a file. Without --apply it only checks the rows. It can be interrupted and repeated. "
        "TOKEN_BROKER['IMPORT'] describes the table."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--apply", action="store_true", help="store the rows; without it, nothing is changed")
        parser.add_argument(
            "--verify",
            type=int,
            metavar="N",
            help="with --apply: refresh each imported or unchanged user at Microsoft, at most N users per minute",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        apply, per_minute = options["apply"], options["verify"]
        if per_minute is not None and not (apply and per_minute > 0):
            raise CommandError("--verify needs --apply and a number of users per minute")
        problems = old_table.problems()
        if problems:
            raise CommandError("; ".join(problems))
        client = conf.get_client()
        totals: Counter[str] = Counter()
        verified: Counter[str] = Counter()
        repeated = self.repeated_users()
        for batch in batches(self.unique_rows(repeated, totals)):
            results = client.import_rows(batch, dry_run=not apply)
            for result in results:
                totals[result["result"]] += 1
                why = result.get("reason") or "; ".join(result.get("reasons", []))
                if why:
                    self.stderr.write(f"user {result.get('user_id', '?')}: {result['result']}: {why}")
            self.stdout.write(f"{sum(totals.values())} rows: {summary(totals)}")
            if per_minute is not None:
                self.verify(client, results, per_minute, verified)
        self.stdout.write(
            ("Done. " if apply else "Dry run: nothing was stored; --apply stores the rows. ") + summary(totals)
        )
        if per_minute is not None:
            self.stdout.write(
                f"Verified at Microsoft: {verified['works']} work, {verified['reconnect']} must reconnect, "
                f"{verified['unknown']} could not be tried"
            )
        if totals["invalid"] or totals["duplicate"]:
            raise CommandError(
                f"{totals['invalid']} rows are invalid, {totals['duplicate']} rows are duplicates. "
                "The other rows are not affected."
            )

    def repeated_users(self) -> set[str]:
        """Users with more than one row that has a refresh token.

        Reads the whole table before anything is sent: two rows of one user may be in different batches, and the second
        one would replace the first one.
        """
        counts = Counter(str(row["user_id"]) for row in old_table.rows() if has_refresh_token(row))
        repeated = {user_id: count for user_id, count in counts.items() if count > 1}
        for user_id, count in sorted(repeated.items()):
            self.stderr.write(
                f"user {user_id}: duplicate: {count} rows, none is sent. "
                "Select one row for each user with IMPORT FILTER or QUERYSET."
            )
        return set(repeated)

    def unique_rows(self, repeated: set[str], totals: Counter[str]) -> Iterator[dict[str, Any]]:
        """The rows without those of repeated users, which are counted as duplicates."""
        sent: set[str] = set()
        for row in old_table.rows():
            user_id = str(row["user_id"])
            if has_refresh_token(row):
                # `sent`: a second row may have appeared since the table was checked.
                if user_id in repeated or user_id in sent:
                    totals["duplicate"] += 1
                    continue
                sent.add(user_id)
            yield row

    def verify(self, client: Client, results: list[dict[str, Any]], per_minute: int, verified: Counter[str]) -> None:
        """Only a refresh proves that a refresh token works. Spread evenly, because Microsoft throttles bursts."""
        for result in results:
            # Unchanged rows too: an earlier run may have been interrupted before it verified them. If the broker has
            # refreshed a user since, this costs no refresh.
            if result["result"] not in ("imported", "unchanged"):
                continue
            time.sleep(60 / per_minute)
            imported = Token(result["user_id"], "", "", 0, "", [], result["generation"], {})
            try:
                client.refresh(imported)
                verified["works"] += 1
            except ReconnectRequired as error:
                verified["reconnect"] += 1
                self.stderr.write(f"user {result['user_id']}: must reconnect: {error.reason}")
            except BrokerError as error:
                verified["unknown"] += 1
                self.stderr.write(f"user {result['user_id']}: could not be tried: {error.code}")


def has_refresh_token(row: dict[str, Any]) -> bool:
    return row["user_id"] is not None and bool(str(row["refresh_token"] or "").strip())


def batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def summary(totals: Counter[str]) -> str:
    return ", ".join(f"{name} {totals[name]}" for name in ("imported", "unchanged", "skipped", "invalid", "duplicate"))
