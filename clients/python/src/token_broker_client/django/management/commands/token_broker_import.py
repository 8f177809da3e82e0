from __future__ import annotations

import contextlib
import csv
import os
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from ....answers import Account, ImportResult, ImportRow
from ....client import Client
from ....errors import BrokerError, ReconnectRequired
from ....tokens import Token
from ... import conf, old_table, support

BATCH_ROWS = 500
"""Rows of one request. The broker accepts no more."""
_NOTHING_TO_IMPORT = ("no_refresh_token", "refresh_token_too_old")
"""Reasons for which a row is skipped, and its user must connect."""


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
        parser.add_argument(
            "--must-reconnect",
            metavar="FILE",
            help="write the users who must connect again into this file, as CSV: user_id, email, reason",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        apply, per_minute = options["apply"], options["verify"]
        if per_minute is not None and not (apply and per_minute > 0):
            raise CommandError("--verify needs --apply and a number of users per minute")
        problems = old_table.problems()
        if problems:
            raise CommandError("; ".join(problems))
        with _MustReconnect.open(options["must_reconnect"]) as must_reconnect:
            self.import_all(conf.get_client(), apply, per_minute, must_reconnect)

    def import_all(self, client: Client, apply: bool, per_minute: int | None, must_reconnect: _MustReconnect) -> None:
        totals: Counter[str] = Counter()
        verified: Counter[str] = Counter()
        rows, repeated = self.repeated_users()
        if apply:
            self.check_all(client, rows, repeated)
        for batch in batches(self.unique_rows(repeated, totals)):
            results = client.import_rows(batch, dry_run=not apply)
            for result in results:
                totals[result["result"]] += 1
                if result.get("reason") in _NOTHING_TO_IMPORT:
                    must_reconnect.add(result.get("user_id", ""), result.get("reason"))
                # `check_all` has named the others.
                if not (apply and _is_wrong(result)):
                    self.name(result)
            self.stdout.write(f"{sum(totals.values())} of {rows} rows: {summary(totals)}")
            if per_minute is not None:
                self.verify(client, results, per_minute, verified, must_reconnect)
        self.stdout.write(
            ("Done. " if apply else "Dry run: nothing was stored; --apply stores the rows. ") + summary(totals)
        )
        if per_minute is not None:
            self.stdout.write(
                f"Verified at Microsoft: {verified['works']} work, {verified['reconnect']} must reconnect, "
                f"{verified['unknown']} could not be tried"
            )
        if must_reconnect.count:
            self.stdout.write(f"{must_reconnect.count} users must connect again: {must_reconnect.where}")
        if totals["invalid"] or totals["duplicate"]:
            raise CommandError(
                f"{totals['invalid']} rows are invalid, {totals['duplicate']} rows are duplicates. "
                "The other rows are not affected."
            )

    def name(self, result: ImportResult) -> None:
        why = result.get("reason") or "; ".join(result.get("reasons", []))
        if why:
            self.stderr.write(f"user {result.get('user_id', '?')}: {result['result']}: {why}")

    def repeated_users(self) -> tuple[int, set[str]]:
        """The number of rows, and the users with more than one row that has a refresh token.

        Reads the whole table before anything is sent: two rows of one user may be in different batches, and the second
        one would replace the first one.
        """
        rows = 0
        counts: Counter[str] = Counter()
        invalid: list[str] = []
        for row in old_table.rows(invalid.append):
            rows += 1
            if has_refresh_token(row):
                counts[str(row.get("user_id"))] += 1
        repeated = {user_id: count for user_id, count in counts.items() if count > 1}
        for user_id, count in sorted(repeated.items()):
            self.stderr.write(
                f"user {user_id}: duplicate: {count} rows, none is sent. "
                "Select one row for each user with IMPORT FILTER or QUERYSET."
            )
        for text in invalid:
            self.stderr.write(text)
        return rows + len(invalid), set(repeated)

    def check_all(self, client: Client, rows: int, repeated: set[str]) -> None:
        """Sends the whole table as a dry run, and names rows that seem to be wrong: before anything is written, so that
        there is time to stop."""
        wrong: Counter[str] = Counter()
        left_out: Counter[str] = Counter()
        for batch in batches(self.unique_rows(repeated, left_out)):
            for result in client.import_rows(batch, dry_run=True):
                if _is_wrong(result):
                    wrong[result.get("reason") or result["result"]] += 1
                    self.name(result)
        wrong["invalid"] += left_out["invalid"]
        wrong = +wrong
        found = ", ".join(f"{name} {count}" for name, count in sorted(wrong.items())) or "no row is wrong"
        self.stdout.write(f"Checked {rows} rows before the first one is stored: {found}")

    def unique_rows(self, repeated: set[str], totals: Counter[str]) -> Iterator[ImportRow]:
        """The rows without those of repeated users, which are counted as duplicates, and without those that cannot be
        read, which are counted as invalid."""
        sent: set[str] = set()

        def count_invalid(_: str) -> None:
            totals["invalid"] += 1

        for row in old_table.rows(count_invalid):
            user_id = str(row.get("user_id"))
            if has_refresh_token(row):
                # `sent`: a second row may have appeared since the table was checked.
                if user_id in repeated or user_id in sent:
                    totals["duplicate"] += 1
                    continue
                sent.add(user_id)
            yield row

    def verify(
        self,
        client: Client,
        results: Iterable[ImportResult],
        per_minute: int,
        verified: Counter[str],
        must_reconnect: _MustReconnect,
    ) -> None:
        """Only a refresh proves that a refresh token works. Spread evenly, because Microsoft throttles bursts."""
        for result in results:
            # Unchanged rows too: an earlier run may have been interrupted before it verified them. If the broker has
            # refreshed a user since, this costs no refresh.
            if result["result"] not in ("imported", "unchanged"):
                continue
            time.sleep(60 / per_minute)
            user_id = result.get("user_id", "")
            imported = Token(user_id, "", "", 0, "", [], result.get("generation", 0), Account())
            try:
                client.refresh(imported)
                verified["works"] += 1
            except ReconnectRequired as error:
                verified["reconnect"] += 1
                self.stderr.write(f"user {user_id}: must reconnect: {error.reason}")
                must_reconnect.add(user_id, error.reason)
            except BrokerError as error:
                verified["unknown"] += 1
                self.stderr.write(f"user {user_id}: could not be tried: {error.code}")


class _MustReconnect:
    """The users who must connect again, in a file (CSV) that a mail can be made from. It is complete at each moment,
    also if the command is interrupted."""

    def __init__(self, file: TextIO | None) -> None:
        self._file, self._writer = file, None if file is None else csv.writer(file, lineterminator="\n")
        self._write(("user_id", "email", "reason"))
        self.count = 0

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: str | None) -> Generator[_MustReconnect, None, None]:
        if path is None:
            yield cls(None)
            return
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            # Mail addresses: for the owner only, also if the file was there.
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
        except OSError as error:
            raise CommandError(f"--must-reconnect {path}: {error.strerror}") from None
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            yield cls(file)

    @property
    def where(self) -> str:
        return "--must-reconnect FILE lists them" if self._file is None else "the file of --must-reconnect lists them"

    def add(self, user_id: str, reason: str | None) -> None:
        self.count += 1
        if self._file is not None:
            user = conf.find_user(user_id)
            self._write((user_id, "" if user is None else support.mail_address(user), reason or ""))

    def _write(self, row: tuple[str, str, str]) -> None:
        if self._writer is not None and self._file is not None:
            self._writer.writerow([_as_text(cell) for cell in row])
            self._file.flush()


def _as_text(cell: str) -> str:
    """A spreadsheet would take such a cell for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _is_wrong(result: ImportResult) -> bool:
    """Whether the row itself is wrong, whatever the broker has stored."""
    return result["result"] == "invalid" or result.get("reason") == "no_needed_scope"


def has_refresh_token(row: ImportRow) -> bool:
    return row.get("user_id") is not None and bool(str(row.get("refresh_token") or "").strip())


def batches(rows: Iterator[ImportRow]) -> Iterator[list[ImportRow]]:
    batch: list[ImportRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def summary(totals: Counter[str]) -> str:
    return ", ".join(f"{name} {totals[name]}" for name in ("imported", "unchanged", "skipped", "invalid", "duplicate"))
