"""For projects where staff can act for a user (django-hijack, django-impersonate, or the project's own)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from . import conf


class NoImpersonationMiddleware(MiddlewareMixin):
    """Raises ``PermissionDenied`` if somebody acts for another user, in the package's views and in views with
    ``microsoft_required``: staff would read the user's files, or connect their own Microsoft account to the user.

    Put it below the middleware that sets ``request.user``. The setting ``IS_IMPERSONATED_FUNCTION`` (request → bool)
    tells who acts for another; the default knows django-hijack and django-impersonate.
    """

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        is_ours = match is not None and match.app_name == "token_broker"
        if (is_ours or getattr(view, "needs_microsoft", False)) and _is_impersonated(request):
            raise PermissionDenied("Staff who act for a user do not use the user's Microsoft account.")
        return None


def _is_impersonated(request: HttpRequest) -> bool:
    given = conf.get_settings().get("IS_IMPERSONATED_FUNCTION")
    function = import_string(given) if isinstance(given, str) else given
    if function is not None:
        return bool(function(request))
    user = getattr(request, "user", None)
    return bool(getattr(user, "is_hijacked", False) or getattr(user, "is_impersonate", False))
