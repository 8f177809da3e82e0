"""What Django itself tells of users: logging out and being deleted."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import pre_delete

from . import conf

log = logging.getLogger("token_broker_client")


def end_browser_sessions(sender: Any, user: Any = None, **_: Any) -> None:
    """The broker's session in this browser must not outlive ours; that it cannot be told is no reason to stay logged in, whatever the
    reason: also wrong settings, or a USER_ID that raises."""
    if user is None or user.pk is None:
        return
    try:
        conf.client().end_browser_sessions(conf.user_id_of(user), deadline=conf.SHORT)
    except Exception as error:  # its text may be anything, so only its kind is logged
        log.warning(
            "browser sessions of a user who logs out were not ended at the token broker: %s", type(error).__name__
        )


def disconnect(sender: Any, instance: Any, **_: Any) -> None:
    """Before the user is deleted, and with it: a user whose tokens could not be deleted is not deleted either."""
    # Connected without a sender: a user is also deleted as a proxy of the user model, which is another sender.
    if not isinstance(instance, get_user_model()):
        return
    conf.client().disconnect(conf.user_id_of(instance))


def connect() -> None:
    user_logged_out.connect(end_browser_sessions, dispatch_uid="token_broker.end_browser_sessions")
    pre_delete.connect(disconnect, dispatch_uid="token_broker.disconnect")
