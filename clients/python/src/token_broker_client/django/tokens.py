"""The calls that a view makes. The setting READ_FROM decides whether tokens come from the broker or from the old
table. In a request of staff who act for a user, those that get a token raise ``impersonation.Impersonated``, if the
project has ``NoImpersonationMiddleware``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.db.models import QuerySet

from ..disconnects import Disconnect, utc_text
from ..errors import BrokerError, NotConnected
from ..tokens import Token
from . import conf, impersonation, old_table
from .failures import log_failure

T = TypeVar("T")


def get_token(user: Any, **options: Any) -> Token:
    """A token with its generation, scope and account, always from the broker. ``options``: see ``Client.get_token``.
    Raises BrokerError."""
    user_id = _connected(user)
    with _noted(user, user_id):
        return conf.get_client().get_token(user_id, **options)


def get_access_token(user: Any, **options: Any) -> str:
    """An access token for Microsoft Graph. Raises BrokerError. With READ_FROM "old" it calls OLD_TOKEN_FUNCTION,
    unless the user has disconnected since the old table was written. ObjectDoesNotExist and an empty result of it are
    NotConnected."""
    if _reads_old_table():
        return _old_token(user)
    return get_token(user, **options).access_token


async def aget_token(user: Any, **options: Any) -> Token:
    """As ``get_token``, in an asynchronous view. The call to the broker runs in a thread."""
    return await sync_to_async(get_token)(user, **options)


async def aget_access_token(user: Any, **options: Any) -> str:
    """As ``get_access_token``, in an asynchronous view."""
    return await sync_to_async(get_access_token)(user, **options)


def with_token(
    user: Any,
    work: Callable[[str], T],
    is_unauthorized: Callable[[Exception], bool],
    *,
    context: str | None = None,
    traceparent: str | None = None,
) -> T:
    """Calls ``work`` with an access token. If it raises and ``is_unauthorized`` is true for the exception (Graph
    answered 401), calls it once more with a token of a later generation. A claims challenge in the exception is passed
    on to the broker (``token_broker_client.claims_of`` says in which exceptions it is found). ``context``: what the
    token is for, such as ``document:4711``, for the broker's audit log. ``traceparent``: see ``Client.get_token``."""
    if _reads_old_table():
        return work(_old_token(user))
    options: dict[str, Any] = {"context": context, "traceparent": traceparent}
    user_id = _connected(user)
    with _noted(user, user_id):
        return conf.get_client().with_token(user_id, work, is_unauthorized, **options)


async def awith_token(
    user: Any,
    work: Callable[[str], Awaitable[T]],
    is_unauthorized: Callable[[Exception], bool],
    *,
    context: str | None = None,
    traceparent: str | None = None,
) -> T:
    """As ``with_token``, for a coroutine function in an asynchronous view. The calls to the broker run in a thread."""
    if await sync_to_async(_reads_old_table)():
        return await work(await sync_to_async(_old_token)(user))
    user_id = await sync_to_async(_connected)(user)
    options: dict[str, Any] = {"context": context, "traceparent": traceparent}
    try:
        found = await conf.get_client().awith_token(user_id, work, is_unauthorized, run=_run, **options)
    except BrokerError as error:
        await sync_to_async(_note)(user, user_id, error)
        raise
    await sync_to_async(_note)(user, user_id)
    return found


def disconnect(user: Any, *, ended_by: str = "site") -> bool:
    """Disconnects the user at the broker. False: the broker does not answer, and ``token_broker_events`` will do it;
    until then this site gives out no token of the user that it has in memory. While connections are moved, call it
    after the user was deleted from the old table, also for users that were never imported: an import that runs at the
    same time then skips them. ``ended_by``: see ``Connection.ended_by``."""
    return disconnect_id(conf.broker_user_id(user), ended_by=ended_by)


def disconnect_id(broker_user_id: str, *, ended_by: str = "site") -> bool:
    """As ``disconnect``, by the broker's id: the user may be deleted already."""
    _write_disconnect(broker_user_id, ended_by)
    return _send_disconnect(broker_user_id)


def disconnect_all(users: Iterable[Any]) -> int:
    """As ``disconnect``, for many users. Returns how many are disconnected already."""
    return sum(disconnect(user) for user in users)


def deactivate_all(users: QuerySet[Any]) -> int:
    """``users.update(is_active=False)``, for which Django sends no signal, with what ON_DEACTIVATE says. Returns how
    many users were active."""
    with transaction.atomic(using=users.db):
        # Afterwards the queryset may be empty: it may select users who are active.
        found = [user for user in users.all() if user.is_active]
        if conf.disconnects_on("ON_DEACTIVATE"):
            for user in found:
                disconnect_on_commit(user, users.db)
        keys = [user.pk for user in found]
        changed: int = users.model._default_manager.using(users.db).filter(pk__in=keys).update(is_active=False)
        return changed


def merge(from_user: Any, into_user: Any) -> bool:
    """``from_user`` becomes part of ``into_user``: call it before you delete or deactivate ``from_user``, in the same
    transaction. With ON_MERGE "disconnect" (the default), the connection of ``from_user`` ends when the transaction is
    committed, also if the broker does not answer then. The connection of ``into_user`` stays. A connection cannot be
    moved to another user: the person who connected has agreed to it as that user.

    Returns True if only ``from_user`` was connected, as far as this site knows: then ``into_user`` must connect. If
    both users are the same one for the broker, nothing ends, and it returns False.
    """
    from_id, into_id = conf.broker_user_id(from_user), conf.broker_user_id(into_user)
    if from_id == into_id:
        return False
    from . import statuses

    is_lost = statuses.has_connection(from_id) and not statuses.has_connection(into_id)
    if conf.disconnects_on("ON_MERGE"):
        disconnect_on_commit(from_user, from_user._state.db)
    return is_lost


def disconnect_on_commit(user: Any, using: str | None = None) -> None:
    """Disconnects the user if the current transaction is committed. The intention is stored in the same transaction,
    so it is not lost if the broker does not answer."""
    user_id = conf.usable_user_id(user)
    if user_id is None:
        return
    _write_disconnect(user_id)
    transaction.on_commit(lambda: _send_disconnect(user_id), using=using, robust=True)


def _write_disconnect(user_id: str, ended_by: str = "site") -> None:
    # Models can be imported only when the apps are loaded, and a project may import this module before.
    from . import statuses
    from .disconnects import DatabaseDisconnects

    statuses.note_disconnect(user_id, ended_by)
    DatabaseDisconnects().write(Disconnect(user_id, utc_text(datetime.now(timezone.utc)), False))


def _send_disconnect(user_id: str) -> bool:
    try:
        conf.get_client().disconnect(user_id)
    except BrokerError as error:
        log_failure(error, "a disconnect is sent later")
        return False
    return True


@contextmanager
def _noted(user: Any, user_id: str) -> Generator[None, None, None]:
    try:
        yield
    except BrokerError as error:
        _note(user, user_id, error)
        raise
    _note(user, user_id)


def _note(user: Any, user_id: str, error: BrokerError | None = None) -> None:
    # See `_write_disconnect`.
    from . import statuses

    if error is None:
        statuses.note_read(user, user_id)
    else:
        statuses.note_failure(user_id, error)


async def _run(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    # In the thread of the request: it closes its connections to the database.
    return await sync_to_async(work)(*args, **options)


def _old_token(user: Any) -> str:
    """The token of the old table. Raises NotConnected if there is none, or if the user has disconnected since: at the
    broker's page, they disconnected from both."""
    impersonation.refuse()
    if not user.is_authenticated:
        raise NotConnected()
    from .disconnects import disconnected_at

    user_id = conf.broker_user_id(user)
    at = disconnected_at(user_id)
    if at is not None and not old_table.is_newer(user_id, at):
        raise NotConnected()
    try:
        found = conf.old_token_function()(user)
    except ObjectDoesNotExist:
        raise NotConnected() from None
    if not found:
        raise NotConnected()
    return found


def _connected(user: Any) -> str:
    impersonation.refuse()
    if not user.is_authenticated:
        raise NotConnected()
    return conf.broker_user_id(user)


def _reads_old_table() -> bool:
    return bool(conf.get_settings().get("READ_FROM", "broker") == "old")
