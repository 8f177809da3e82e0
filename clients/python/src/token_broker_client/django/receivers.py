"""Receivers for signals of Django: a user logs out, is deleted, or is deactivated."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import pre_delete, pre_save

from . import conf, statuses, tokens
from .signals import integration_event

log = logging.getLogger("token_broker_client")


def end_browser_sessions(sender: Any, user: Any = None, **_: Any) -> None:
    """Ends the user's sessions on the broker's pages. The logout succeeds even if this fails for any reason, including
    wrong settings or an exception in USER_ID_FUNCTION."""
    if user is None or user.pk is None:
        return
    try:
        user_id = conf.broker_user_id(user)
        conf.get_client().end_browser_sessions(user_id, timeout_seconds=conf.LOGOUT_TIMEOUT_SECONDS)
    except Exception as error:  # its text may contain a secret, so only its type is logged
        log.warning("logout: the browser sessions at the token broker were not ended: %s", type(error).__name__)


def user_is_deleted(sender: Any, instance: Any, using: str | None = None, **_: Any) -> None:
    # The receiver has no fixed sender: a user may be deleted as a proxy of the user model, which is another sender.
    if not isinstance(instance, get_user_model()):
        return
    if conf.disconnects_on("ON_DELETE"):
        tokens.disconnect_on_commit(instance, using)
    statuses.forget(instance)


def user_is_saved(
    sender: Any, instance: Any, raw: bool = False, using: str | None = None, update_fields: Any = None, **_: Any
) -> None:
    """Disconnects a user whose ``is_active`` becomes false."""
    model = get_user_model()
    if not isinstance(instance, model) or raw or instance.pk is None or instance.is_active:
        return
    if update_fields is not None and "is_active" not in update_fields:
        return
    if not conf.disconnects_on("ON_DEACTIVATE"):
        return
    was_active: Any = model._default_manager.using(using).filter(pk=instance.pk)
    if was_active.filter(is_active=True).exists():
        tokens.disconnect_on_commit(instance, using)


def connect() -> None:
    user_logged_out.connect(end_browser_sessions, dispatch_uid="token_broker.end_browser_sessions")
    integration_event.connect(statuses.receive, dispatch_uid="token_broker.statuses")
    pre_delete.connect(user_is_deleted, dispatch_uid="token_broker.disconnect")
    pre_save.connect(user_is_saved, dispatch_uid="token_broker.deactivate")
