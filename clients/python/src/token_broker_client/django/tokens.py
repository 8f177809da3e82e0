"""The calls a view makes. READ_FROM decides where tokens come from: flip it to cut over, flip it back to return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import NotConnected
from ..tokens import Token
from . import conf

T = TypeVar("T")


def get_token(user: Any, **options: Any) -> str:
    """An access token for this user, for Microsoft Graph. Raises BrokerError, as the old table's function does what it always did."""
    if conf.values().get("READ_FROM", "broker") == "old":
        return conf.old_token_of()(user)
    return conf.client().get_token(conf.user_id_of(user), **options).access_token


def with_token(user: Any, work: Callable[[str], T], is_refused: Callable[[Exception], bool]) -> T:
    """Works with a token; where Graph refuses it (``is_refused`` says so), once more with one of a later generation."""
    if conf.values().get("READ_FROM", "broker") == "old":
        return work(conf.old_token_of()(user))
    token = token_of(user)
    try:
        return work(token.access_token)
    except Exception as error:
        if not is_refused(error):
            raise
    return work(conf.client().refresh(token).access_token)


def token_of(user: Any, **options: Any) -> Token:
    """The same with generation, scope and account."""
    if not user.is_authenticated:
        raise NotConnected()
    return conf.client().get_token(conf.user_id_of(user), **options)


def disconnect(user: Any) -> None:
    """The user disconnects at MEGDocs. Call it after the old table's own way, from before the first import on, also for users who were
    never imported: an import that runs meanwhile then leaves them out."""
    conf.client().disconnect(conf.user_id_of(user))
