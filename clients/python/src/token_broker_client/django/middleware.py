"""For projects where staff can act for a user (django-hijack, django-impersonate, or the project's own)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from . import impersonation


class NoImpersonationMiddleware(MiddlewareMixin):
    """While somebody acts for another user, the package's pages, views with ``microsoft_required``, and the functions
    of ``tokens`` that get a token raise ``impersonation.Impersonated`` (a ``PermissionDenied``): staff would read the
    user's files, or connect their own Microsoft account to the user.

    Put it below the middleware that sets ``request.user``. The setting ``IS_IMPERSONATED_FUNCTION`` (request → bool)
    tells who acts for another; the default knows django-hijack and django-impersonate.
    """

    def process_request(self, request: HttpRequest) -> None:
        impersonation.note(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is not None and match.app_name == "token_broker":
            impersonation.refuse()
        return None
