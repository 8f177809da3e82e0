from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone, translation

from ... import statuses, support
from ...models import Connection


class Command(BaseCommand):
    help = "Sends a mail with the link for connecting to each user who must connect again and can do so alone."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--dry-run", action="store_true", help="send nothing, print who would get a mail")
        parser.add_argument("--days", type=int, default=7, help="at most one mail for each user in so many days")

    def handle(self, *args: Any, **options: Any) -> None:
        if not support.base_url():
            raise CommandError('TOKEN_BROKER needs SITE_URL, such as "https://audits.example.org": the link begins so')
        if options["days"] < 1:
            raise CommandError("--days must be at least 1")
        if not statuses.is_fresh():
            raise CommandError("the statuses are old: run token_broker_events, then repeat this command")
        sent = skipped = failed = 0
        due = Q(reminded_at=None) | Q(reminded_at__lt=timezone.now() - timedelta(days=options["days"]))
        rows = Connection.objects.filter(due, state=Connection.RECONNECT_REQUIRED, frozen="", who_acts="user")
        for row in rows.select_related("user").order_by("pk"):
            user: Any = row.user
            if not support.mail_address(user) or not user.is_active:
                skipped += 1
                self.stderr.write(f"user {row.broker_user_id}: no mail address, or not active")
            elif options["dry_run"]:
                sent += 1
                self.stdout.write(f"user {row.broker_user_id}: {row.reason}")
            # Two processes send one mail: only one of them changes the row.
            elif Connection.objects.filter(due, pk=row.pk).update(reminded_at=timezone.now()):
                if self._send(row):
                    sent += 1
                else:
                    failed += 1
        what = "would get a mail" if options["dry_run"] else "got a mail"
        self.stdout.write(f"{sent} {what}, {skipped} skipped, {failed} failed")
        if failed:
            raise CommandError("some mails were not sent; the next run tries them again")

    def _send(self, row: Connection) -> bool:
        try:
            with translation.override(settings.LANGUAGE_CODE):
                support.send_link(row, support.base_url())
        except Exception as error:  # of any mail backend; its text may contain a password
            Connection.objects.filter(pk=row.pk).update(reminded_at=row.reminded_at)
            self.stderr.write(f"user {row.broker_user_id}: {type(error).__name__}")
            return False
        return True
