"""For views that need a token: what the user can solve leads to the connect page and back here, the rest becomes a page in words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from ..errors import BrokerError, NotConnected, ReconnectRequired
from . import views


def microsoft_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Inside, call ``get_token`` and let its errors pass. Put it below ``login_required``."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except BrokerError as error:
            return response_for(request, error)

    return wrapped


def response_for(request: HttpRequest, error: BrokerError) -> HttpResponse:
    if isinstance(error, NotConnected) or (isinstance(error, ReconnectRequired) and error.who_acts in (None, "user")):
        # A form that was sent cannot be repeated by coming back: then to the page it stood on.
        here = request.get_full_path() if request.method in ("GET", "HEAD") else request.META.get("HTTP_REFERER")
        return HttpResponseRedirect(views.connect_url(views.safe_next(request, here)))
    return views.problem(request, error)
