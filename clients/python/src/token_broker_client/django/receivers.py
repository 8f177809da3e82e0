"""Receivers for two signals of Django: a user logs out, or is deleted."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import pre_delete

from . import conf

log = logging.getLogger("token_broker_client")


def end_browser_sessions(sender: Any, user: Any = None, **_: Any) -> None:
    """Ends the user's sessions on the broker's pages. The logout succeeds even if this fails for any reason, including
    wrong settings or an exception in USER_ID_FUNCTION."""
    if user is None or user.pk is None:
        return
    try:
        user_id = conf.broker_user_id(user)
        conf.get_client().end_browser_sessions(user_id, timeout_seconds=conf.SHORT_TIMEOUT_SECONDS)
    except Exception as error:  # its text may contain a secret, so only its type is logged
        log.warning("logout: the browser sessions at the token broker were not ended: %s", type(error).__name__)


def disconnect(sender: Any, instance: Any, **_: Any) -> None:
    """Disconnects a user before they are deleted. If this fails, the user is not deleted, so no tokens stay behind."""
    # The receiver has no fixed sender: a user may be deleted as a proxy of the user model, which is another sender.
    if not isinstance(instance, get_user_model()):
        return
    conf.get_client().disconnect(conf.broker_user_id(instance))


def connect() -> None:
    user_logged_out.connect(end_browser_sessions, dispatch_uid="token_broker.end_browser_sessions")
    pre_delete.connect(disconnect, dispatch_uid="token_broker.disconnect")
