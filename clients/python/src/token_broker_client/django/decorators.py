"""For views that need a token. If the user can solve a failure, they go to the connect page and then back. Any other
failure becomes a page that explains it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, Concatenate, ParamSpec

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from ..errors import BrokerError, NotConnected, ReconnectRequired
from . import failures, views

P = ParamSpec("P")


def microsoft_required(view: Callable[Concatenate[HttpRequest, P], Any]) -> Callable[Concatenate[HttpRequest, P], Any]:
    """Put it below ``login_required``. In the view, get a token and do not catch BrokerError. The view may be a
    coroutine function."""
    if iscoroutinefunction(view):

        @functools.wraps(view)
        async def awrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return await view(request, *args, **kwargs)
            except BrokerError as error:
                return await sync_to_async(error_response)(request, error)

        return awrapped

    @functools.wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return view(request, *args, **kwargs)
        except BrokerError as error:
            return error_response(request, error)

    return wrapped


def error_response(request: HttpRequest, error: BrokerError) -> HttpResponse:
    """A redirect to the connect page, which says why, if the user can solve the failure, otherwise a page that says who
    can. Logs the failure."""
    if isinstance(error, NotConnected | ReconnectRequired) and error.user_can_connect:
        # A POST cannot be repeated by a redirect. The user comes back to the page with the form.
        here = request.get_full_path() if request.method in ("GET", "HEAD") else request.META.get("HTTP_REFERER")
        failures.log_failure(error, f"{request.method} {request.path}")
        return HttpResponseRedirect(failures.connect_url(views.safe_next_url(request, here), error.reason))
    return failures.problem_response(request, error)
