"""The calls that a view makes. The setting READ_FROM decides whether tokens come from the broker or from the old
table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import NotConnected
from ..tokens import Token
from . import conf

T = TypeVar("T")


def get_token(user: Any, **options: Any) -> Token:
    """A token with its generation, scope and account, always from the broker. ``options``: see ``Client.get_token``.
    Raises BrokerError."""
    if not user.is_authenticated:
        raise NotConnected()
    return conf.get_client().get_token(conf.broker_user_id(user), **options)


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
    answered 401), calls it once more with a token of a later generation. ``context``: what the token is for, such as
    ``document:4711``, for the broker's audit log. ``traceparent``: see ``Client.get_token``."""
    if _reads_old_table():
        return work(conf.old_token_function()(user))
    token = get_token(user, context=context, traceparent=traceparent)
    try:
        return work(token.access_token)
    except Exception as error:
        if not is_unauthorized(error):
            raise
    return work(conf.get_client().refresh(token, context=context, traceparent=traceparent).access_token)


def disconnect(user: Any) -> None:
    """Disconnects the user at the broker. While connections are moved, call it after the user was deleted from the old
    table, also for users that were never imported: an import that runs at the same time then skips them."""
    conf.get_client().disconnect(conf.broker_user_id(user))


def _reads_old_table() -> bool:
    return bool(conf.get_settings().get("READ_FROM", "broker") == "old")
