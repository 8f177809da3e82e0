from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ... import reminders, statuses, support


class Command(BaseCommand):
    help = "Sends a mail with the link for connecting to each user who must connect again and can do so alone."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--dry-run", action="store_true", help="send nothing, print who would get a mail")
        parser.add_argument(
            "--days", type=int, default=reminders.DAYS, help="at most one mail for each user in so many days"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not support.base_url():
            raise CommandError('TOKEN_BROKER needs SITE_URL, such as "https://audits.example.org": the link begins so')
        if options["days"] < 1:
            raise CommandError("--days must be at least 1")
        if not statuses.is_fresh():
            raise CommandError("the statuses are old: run token_broker_events, then repeat this command")
        sent = skipped = failed = 0
        for row in reminders.due(options["days"]).order_by("pk"):
            if not reminders.can_get_mail(row):
                skipped += 1
                self.stderr.write(f"user {row.broker_user_id}: no mail address, or not active")
            elif options["dry_run"]:
                sent += 1
                self.stdout.write(f"user {row.broker_user_id}: {row.reason}")
            else:
                why_not = reminders.send(row, options["days"])
                if why_not is None:
                    sent += 1
                elif why_not != reminders.ALREADY_SENT:
                    failed += 1
                    self.stderr.write(f"user {row.broker_user_id}: {why_not}")
        what = "would get a mail" if options["dry_run"] else "got a mail"
        self.stdout.write(f"{sent} {what}, {skipped} skipped, {failed} failed")
        if failed:
            raise CommandError("some mails were not sent; the next run tries them again")
