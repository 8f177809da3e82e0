"""For views that need a token. If the user can solve a failure, they go to the connect page and then back. Any other
failure becomes a page that explains it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from ..errors import BrokerError, NotConnected, ReconnectRequired
from . import views

P = ParamSpec("P")


def microsoft_required(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Put it below ``login_required``. In the view, get a token and do not catch BrokerError."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except BrokerError as error:
            return error_response(request, error)

    return wrapped


def error_response(request: HttpRequest, error: BrokerError) -> HttpResponse:
    """A redirect to the connect page if the user can solve the failure, otherwise a page that says who can."""
    if isinstance(error, NotConnected | ReconnectRequired) and error.user_can_connect:
        # A POST cannot be repeated by a redirect. The user comes back to the page with the form.
        here = request.get_full_path() if request.method in ("GET", "HEAD") else request.META.get("HTTP_REFERER")
        return HttpResponseRedirect(views.connect_url(views.safe_next_url(request, here)))
    return views.problem_response(request, error)
