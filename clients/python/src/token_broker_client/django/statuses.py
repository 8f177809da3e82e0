"""Keeps the statuses of connections (``models.Connection``). The events of the broker bring each change; what this site
does itself is written at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from django.db import DatabaseError, transaction
from django.db.models import Q
from django.dispatch import Signal
from django.utils import timezone

from ..answers import Account, Integration
from ..disconnects import time_of
from ..errors import BrokerError, Frozen, NotConnected, ReconnectRequired
from ..events import Event, Resync
from . import conf, signals
from .models import ConnectAttempt, Connection, ConnectionEvent, Disconnect, EventCursor

log = logging.getLogger("token_broker_client")

FRESH = timedelta(minutes=15)
"""So old may the statuses be on the support pages: cron reads the events every 10 minutes."""
READ_NOW = timedelta(minutes=1)
"""``token_broker_events`` gets an answer every 25 seconds."""
HISTORY = timedelta(days=400)
READ_EVERY = timedelta(hours=1)
_DETAILS_TIMEOUT_SECONDS = 2.0
_COMPLETED_AT_ONCE = 20
_MEMORY_SIZE = 10_000
_reads: dict[str, float] = {}

_SIGNALS: dict[str, Signal] = {
    "connected": signals.connected,
    "reconnected": signals.connected,
    "imported": signals.connected,
    "recovered": signals.recovered,
    "unfrozen": signals.recovered,
    "reconnect_required": signals.needs_reconnect,
    "disconnected": signals.disconnected,
    "frozen": signals.frozen,
}
_CONNECTING = ("connected", "reconnected", "imported", "recovered")


def find(broker_user_id: str) -> Connection | None:
    found: Connection | None = Connection.objects.select_related("user").filter(pk=broker_user_id).first()
    return found


def has_connection(broker_user_id: str) -> bool:
    """Whether this site knows of a connection, also of one that does not work at the moment."""
    rows = Connection.objects.filter(pk=broker_user_id)
    return bool(rows.exclude(state=Connection.DISCONNECTED).exists())


def is_fresh(limit: timedelta = FRESH) -> bool:
    """Whether the events were read a short time ago, so that the statuses are right."""
    return bool(EventCursor.objects.filter(read_at__gte=timezone.now() - limit).exists())


class StoredTrouble(TypedDict):
    reason: str
    who_acts: str


class _StoredOptional(TypedDict, total=False):
    frozen: StoredTrouble
    failure: StoredTrouble


class StoredStatus(_StoredOptional):
    status: str
    account: Account
    missing_scopes: list[str]


def as_integration(broker_user_id: str) -> StoredStatus | None:
    """The stored status in the form of the broker's answer, as far as the status tag needs it; ``status`` may also be
    ``disconnected``. None: there is no row."""
    row = Connection.objects.filter(pk=broker_user_id).first()
    if row is None:
        return None
    found: StoredStatus = {
        "status": "active" if row.state == Connection.CONNECTED else row.state,
        "account": {"username": row.username},
        "missing_scopes": row.missing_scopes,
    }
    if row.shown_state == "frozen":
        found["frozen"] = {"reason": row.frozen, "who_acts": "ops"}
    if row.reason:
        found["failure"] = {"reason": row.reason, "who_acts": row.who_acts or "user"}
    return found


# ---- From the broker ----


def receive(sender: Any, event: Event | Resync, **_: Any) -> None:
    """The receiver of ``integration_event``."""
    if isinstance(event, Resync):
        _compare_all(event)
    elif event.user_id:
        _apply(event)
    elif event.type in ("frozen", "unfrozen"):
        _apply_to_many(event)


def ask(broker_user_id: str, timeout_seconds: float = _DETAILS_TIMEOUT_SECONDS) -> Integration | None:
    """What the broker says now. Stores it, if the user has a row or is connected. Raises BrokerError."""
    found = conf.get_client().get_integration(broker_user_id, timeout_seconds=timeout_seconds)
    row = find(broker_user_id)
    if row is None and found is None:
        return None
    with transaction.atomic():
        row = _lock(broker_user_id)
        _write(row, found, None)
        row.save()
    return found


def complete() -> None:
    """Asks for the details of a few rows that have changed, and deletes what is older than the history goes back."""
    for row in Connection.objects.filter(checked_at=None)[:_COMPLETED_AT_ONCE]:
        try:
            ask(row.broker_user_id)
        except BrokerError as error:
            log.info("the details of a connection are asked for later: code=%s", error.code)
            break
    ConnectionEvent.objects.filter(at__lt=timezone.now() - HISTORY).delete()


def _apply(event: Event) -> None:
    at = time_of(event.at)
    if ConnectionEvent.objects.filter(event_id=event.id, at=at).exists():
        return
    if event.type == "disconnected" and find(event.user_id) is None:
        # Nothing is kept of a user who was deleted.
        return
    found = _NOT_KNOWN if event.type == "disconnected" else _details(event.user_id)
    with transaction.atomic():
        row = _lock(event.user_id)
        if _is_of_nobody(row) or (found is None and row._state.adding):
            return
        history, is_new = ConnectionEvent.objects.get_or_create(
            event_id=event.id,
            at=at,
            defaults={"broker_user_id": event.user_id, "type": event.type, "reason": event.reason or ""},
        )
        if not is_new:
            return
        if isinstance(found, _NotKnown):
            _write_event(row, event, at)
        else:
            _write(row, found, at)
            history.username = row.username
            if event.type == "reconnect_required" and row.reason == event.reason:
                history.microsoft = row.microsoft
            history.save(update_fields=["username", "microsoft"])
        row.save()
        _send(event.type, row, event)


def _apply_to_many(event: Event) -> None:
    """A freeze of an organisation is written to its rows. One of this site's key is only in the history."""
    at, freeze = time_of(event.at), event.raw.get("freeze")
    scope = "" if freeze is None else freeze["scope"]
    tenant_id = freeze["value"] if freeze is not None and scope == "tenant" else ""
    with transaction.atomic():
        _, is_new = ConnectionEvent.objects.get_or_create(
            event_id=event.id,
            at=at,
            defaults={
                "broker_user_id": "",
                "tenant_id": tenant_id,
                "type": event.type,
                "reason": scope,
            },
        )
        if not is_new:
            return
        rows = Connection.objects.filter(tenant_id=tenant_id) if tenant_id else Connection.objects.none()
        # A user who is frozen as well stays so.
        if event.type == "frozen":
            rows.filter(frozen="").update(frozen="tenant_frozen")
        else:
            rows.filter(frozen="tenant_frozen").update(frozen="")
        _send(event.type, None, event)


def _compare_all(resync: Resync) -> None:
    begun_at, is_first = timezone.now(), not Connection.objects.exists()
    listed: set[str] = set()
    for integration in resync.integrations:
        listed.add(integration["user_id"])
        with transaction.atomic():
            row = _lock(integration["user_id"])
            if _is_of_nobody(row):
                continue
            before = row.shown_state
            _write(row, integration, None)
            row.save()
            if not is_first and row.shown_state != before:
                _send(_TYPE_OF_STATE.get(row.shown_state, ""), row, None)
    # Who connects meanwhile is not in the list; their event comes.
    rows = Connection.objects.exclude(state=Connection.DISCONNECTED).exclude(since__gte=begun_at)
    for row in rows.select_related("user").iterator():
        if row.broker_user_id not in listed:
            with transaction.atomic():
                _write(row, None, None)
                row.save()
                _send("disconnected", row, None)


_TYPE_OF_STATE = {"connected": "connected", "reconnect_required": "reconnect_required", "frozen": "frozen"}


def _send(event_type: str, row: Connection | None, event: Event | None) -> None:
    found = _SIGNALS.get(event_type)
    if found is None or (row is not None and event_type == "unfrozen" and row.shown_state != "connected"):
        return
    found.send(sender=Connection, connection=row, user=None if row is None else row.user, event=event)


@dataclass(frozen=True)
class _NotKnown:
    pass


_NOT_KNOWN = _NotKnown()


def _details(broker_user_id: str) -> Integration | None | _NotKnown:
    try:
        return conf.get_client().get_integration(broker_user_id, timeout_seconds=_DETAILS_TIMEOUT_SECONDS)
    except BrokerError as error:
        # The event itself says enough, and `complete` asks again.
        log.info("the details of a connection are asked for later: code=%s", error.code)
        return _NOT_KNOWN


def _lock(broker_user_id: str) -> Connection:
    """The row, or a new one that is not saved."""
    # Without the user: it may be missing, and PostgreSQL locks no row of an outer join.
    row: Connection | None = Connection.objects.select_for_update().filter(pk=broker_user_id).first()
    if row is None:
        row = Connection(broker_user_id=broker_user_id, state=Connection.DISCONNECTED)
    if row.user_id is None:
        row.user = conf.find_user(broker_user_id)
    return row


def _is_of_nobody(row: Connection) -> bool:
    """No row is made for a user who was deleted: their last events may be read after that, and ON_DELETE "keep" leaves
    their connection."""
    return row._state.adding and row.user_id is None and conf.can_find_users()


def _write(row: Connection, integration: Integration | None, at: datetime | None) -> None:
    """``at``: when it became true, if it is known."""
    row.checked_at = timezone.now()
    if integration is None or _disconnect_is_under_way(integration):
        _write_disconnected(row, at or timezone.now(), "elsewhere")
        return
    failure = integration.get("failure")
    state = Connection.CONNECTED if integration["status"] == "active" else Connection.RECONNECT_REQUIRED
    reason = "" if failure is None else failure["reason"]
    connected_at = time_of(integration["connected_at"])
    if at is not None or row.since is None or (row.state, row.reason) != (state, reason):
        failed = "" if failure is None else failure.get("at")
        failed_at = time_of(failed) if failed else None
        row.since = at or failed_at or (timezone.now() if failure else connected_at)
    if (row.state, row.reason) != (state, reason):
        row.admin_consent_url = ""
    row.state, row.reason, row.ended_by = state, reason, ""
    row.who_acts = "" if failure is None else failure["who_acts"]
    frozen = integration.get("frozen")
    row.frozen = "" if frozen is None else frozen["reason"]
    row.microsoft = {} if failure is None else failure["microsoft"]
    row.connected_at, row.refreshed_at = connected_at, time_of(integration["refreshed_at"])
    row.missing_scopes = integration["missing_scopes"]
    _write_account(row, integration.get("account") or Account())


def _write_account(row: Connection, account: Account) -> None:
    # An account without a name keeps the last one.
    row.tenant_id, row.object_id = account.get("tenant_id") or row.tenant_id, account.get("object_id") or row.object_id
    row.username = (account.get("username") or row.username)[:512]
    # A guest's name has the domain of their own organisation in front of #EXT#.
    row.domain = "" if "#EXT#" in row.username.upper() else row.username.rpartition("@")[2].lower()[:255]


def _write_event(row: Connection, event: Event, at: datetime) -> None:
    """Without details from the broker."""
    row.checked_at = None
    if event.type == "disconnected":
        row.checked_at = timezone.now()
        _write_disconnected(row, at, "unused" if event.raw.get("cause") == "unused" else "elsewhere")
    elif event.type in _CONNECTING:
        row.state, row.reason, row.who_acts, row.ended_by, row.microsoft = Connection.CONNECTED, "", "", "", {}
        row.since = at
    elif event.type == "reconnect_required":
        row.state, row.reason, row.who_acts, row.ended_by = Connection.RECONNECT_REQUIRED, event.reason or "", "", ""
        row.since, row.microsoft = at, {}
    elif event.type == "frozen":
        row.frozen = "user_frozen"
    elif event.type == "unfrozen":
        row.frozen = ""


def _write_disconnected(row: Connection, at: datetime, ended_by: str) -> None:
    if row.state != Connection.DISCONNECTED or row.since is None:
        row.since, row.ended_by = at, ended_by
    elif ended_by == "unused":
        row.ended_by = ended_by
    row.state, row.reason, row.who_acts, row.frozen = Connection.DISCONNECTED, "", "", ""
    row.microsoft, row.missing_scopes = {}, []


def _disconnect_is_under_way(integration: Integration) -> bool:
    """Whether this site has stored a later disconnect whose event it has not read: the broker may not have got it."""
    later = Disconnect.objects.filter(
        user_id=integration["user_id"], is_confirmed=False, at__gt=time_of(integration["connected_at"])
    )
    return bool(later.exists())


# ---- From this site ----


def note_connected(user: Any, broker_user_id: str, account: Account) -> None:
    """A connect was completed: the page that comes next shows it, also before its event is read."""
    with _never_fails(), transaction.atomic():
        row = _lock(broker_user_id)
        row.user, row.state, row.since, row.checked_at = user, Connection.CONNECTED, timezone.now(), None
        row.connected_at = row.refreshed_at = row.since
        row.reason = row.who_acts = row.ended_by = ""
        row.microsoft = {}
        _write_account(row, account)
        row.save()


def note_disconnect(broker_user_id: str, ended_by: str = "site") -> None:
    with _never_fails():
        Connection.objects.filter(pk=broker_user_id).exclude(state=Connection.DISCONNECTED).update(
            state=Connection.DISCONNECTED,
            since=timezone.now(),
            ended_by=ended_by,
            reason="",
            who_acts="",
            frozen="",
            microsoft={},
            missing_scopes=[],
        )


def note_read(user: Any, broker_user_id: str) -> None:
    """This site got a token."""
    now = time.monotonic()
    noted = _reads.get(broker_user_id)
    if noted is not None and now - noted < READ_EVERY.total_seconds():
        return
    if len(_reads) >= _MEMORY_SIZE:
        _reads.clear()
    _reads[broker_user_id] = now
    with _never_fails():
        # Other processes read too.
        is_due = Q(last_read_at=None) | Q(last_read_at__lt=timezone.now() - READ_EVERY)
        rows = Connection.objects.filter(pk=broker_user_id)
        rows.filter(is_due).update(last_read_at=timezone.now())
        rows.filter(user=None).update(user=user)


def note_failure(broker_user_id: str, error: BrokerError) -> None:
    """This site got no token."""
    if not isinstance(error, NotConnected | ReconnectRequired | Frozen):
        return
    with _never_fails():
        rows = Connection.objects.filter(pk=broker_user_id)
        changed: dict[str, Any] = {"checked_at": None}
        if isinstance(error, Frozen):
            rows.filter(frozen="").exclude(state=Connection.DISCONNECTED).update(
                frozen=error.reason or "user_frozen", **changed
            )
        elif isinstance(error, NotConnected):
            rows.exclude(state=Connection.DISCONNECTED).update(
                state=Connection.DISCONNECTED, ended_by="elsewhere", since=timezone.now(), **changed
            )
        else:
            # The events bring the same, without that address.
            rows.exclude(
                state=Connection.RECONNECT_REQUIRED,
                reason=error.reason or "",
                admin_consent_url=error.admin_consent_url or "",
            ).update(
                state=Connection.RECONNECT_REQUIRED,
                reason=error.reason or "",
                who_acts=error.who_acts or "",
                ended_by="",
                microsoft=error.microsoft,
                admin_consent_url=error.admin_consent_url or "",
                since=timezone.now(),
                **changed,
            )


def forget(user: Any) -> None:
    """The user is deleted."""
    ids = list(Connection.objects.filter(user=user).values_list("broker_user_id", flat=True))
    # A row may have no user, or another one: tools that merge users change foreign keys.
    ids += filter(None, [conf.usable_user_id(user)])
    ConnectionEvent.objects.filter(broker_user_id__in=ids).delete()
    ConnectAttempt.objects.filter(user_id__in=ids).delete()
    Connection.objects.filter(broker_user_id__in=ids).delete()


@contextmanager
def _never_fails() -> Generator[None, None, None]:
    """A status is not worth a page. The savepoint keeps the transaction of the page usable."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        log.warning("the status of a connection was not stored: %s", type(error).__name__)
