"""The calls that a view makes. The setting READ_FROM decides whether tokens come from the broker or from the old
table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from asgiref.sync import sync_to_async

from ..errors import NotConnected
from ..tokens import Token
from . import conf

T = TypeVar("T")


def get_token(user: Any, **options: Any) -> Token:
    """A token with its generation, scope and account, always from the broker. ``options``: see ``Client.get_token``.
    Raises BrokerError."""
    return conf.get_client().get_token(_connected(user), **options)


def get_access_token(user: Any, **options: Any) -> str:
    """An access token for Microsoft Graph. Raises BrokerError. With READ_FROM "old" it calls OLD_TOKEN_FUNCTION, and
    raises what that raises."""
    if _reads_old_table():
        return conf.old_token_function()(user)
    return get_token(user, **options).access_token


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
        return work(conf.old_token_function()(user))
    options: dict[str, Any] = {"context": context, "traceparent": traceparent}
    return conf.get_client().with_token(_connected(user), work, is_unauthorized, **options)


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
        return await work(await sync_to_async(conf.old_token_function())(user))
    user_id = await sync_to_async(_connected)(user)
    options: dict[str, Any] = {"context": context, "traceparent": traceparent}
    return await conf.get_client().awith_token(user_id, work, is_unauthorized, **options)


def disconnect(user: Any) -> None:
    """Disconnects the user at the broker. While connections are moved, call it after the user was deleted from the old
    table, also for users that were never imported: an import that runs at the same time then skips them."""
    conf.get_client().disconnect(conf.broker_user_id(user))


def _connected(user: Any) -> str:
    if not user.is_authenticated:
        raise NotConnected()
    return conf.broker_user_id(user)


def _reads_old_table() -> bool:
    return bool(conf.get_settings().get("READ_FROM", "broker") == "old")
