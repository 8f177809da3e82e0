"""Whether the request that is being answered is one of staff who act for a user. ``NoImpersonationMiddleware`` notes
the request; the functions that get a token ask here, so that no view can forget it."""

from __future__ import annotations

from typing import Any

from asgiref.local import Local
from django.core.exceptions import PermissionDenied
from django.core.signals import request_finished, request_started
from django.http import HttpRequest
from django.utils.module_loading import import_string

from . import conf

_current = Local()


class Impersonated(PermissionDenied):
    """Staff who act for a user do not use the user's Microsoft account."""


def note(request: HttpRequest | None) -> None:
    _current.request = request


def refuse() -> None:
    """Raises Impersonated if somebody acts for another user in this request. Without the middleware, and outside of a
    request, it does nothing."""
    request = getattr(_current, "request", None)
    if request is not None and _is_impersonated(request):
        raise Impersonated("Staff who act for a user do not use the user's Microsoft account.")


def _is_impersonated(request: HttpRequest) -> bool:
    given = conf.get_settings().get("IS_IMPERSONATED_FUNCTION")
    function = import_string(given) if isinstance(given, str) else given
    if function is not None:
        return bool(function(request))
    user = getattr(request, "user", None)
    return bool(getattr(user, "is_hijacked", False) or getattr(user, "is_impersonate", False))


def _forget(**_: Any) -> None:
    note(None)


# Not at the end of the middleware: a streaming response asks for tokens after it.
request_started.connect(_forget, dispatch_uid="token_broker.impersonation_starts")
request_finished.connect(_forget, dispatch_uid="token_broker.impersonation_ends")
