"""Mails with the link for connecting, to users who must connect again and can do so alone."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q, QuerySet
from django.utils import timezone, translation

from . import conf, support
from .models import Connection

log = logging.getLogger("token_broker_client")
DAYS = 7
"""At most one mail for each user in so many days."""


def due(days: int = DAYS) -> QuerySet[Connection]:
    """Who must connect again, can do so alone, and got no mail lately."""
    is_due = Q(reminded_at=None) | Q(reminded_at__lt=timezone.now() - timedelta(days=days))
    rows = Connection.objects.filter(is_due, state=Connection.RECONNECT_REQUIRED, frozen="", who_acts="user")
    found: QuerySet[Connection] = rows.select_related("user")
    return found


def remind(user: Any, days: int = DAYS) -> bool:
    """For a task that got ``ReconnectRequired``: sends the user the link, at most once in ``days``, however many tasks
    ask. Returns whether it was sent now. Not for a user who never connected, who disconnected, who has no address or is
    not active, nor where somebody else must act. Raises no exception of the mail backend: it logs it."""
    if not support.base_url():
        raise ImproperlyConfigured(
            'TOKEN_BROKER needs SITE_URL, such as "https://audits.example.org": the link begins so'
        )
    row = due(days).filter(pk=conf.usable_user_id(user)).first()
    return row is not None and can_get_mail(row) and send(row, days) is None


def can_get_mail(row: Connection) -> bool:
    user: Any = row.user
    return bool(support.mail_address(user)) and bool(user.is_active)


def send(row: Connection, days: int = DAYS) -> str | None:
    """None: it was sent. Otherwise why not: ``already sent``, or the type of an exception. Processes that do it at the
    same time send one mail."""
    if not due(days).filter(pk=row.pk).update(reminded_at=timezone.now()):
        return ALREADY_SENT
    try:
        with translation.override(settings.LANGUAGE_CODE):
            support.send_link(row, support.base_url())
    except Exception as error:  # of any mail backend; its text may contain a password
        Connection.objects.filter(pk=row.pk).update(reminded_at=row.reminded_at)
        log.warning("the mail with the link was not sent: user_id=%s %s", row.pk, type(error).__name__)
        return type(error).__name__
    return None


ALREADY_SENT = "already sent"
