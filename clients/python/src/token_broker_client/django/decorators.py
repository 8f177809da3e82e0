"""For views that need a token. If the user can solve a failure, they go to the connect page and then back. Any other
failure becomes a page that explains it. A request of a script gets JSON instead: it must not follow a redirect to a
page."""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, Concatenate, ParamSpec, overload

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from ..errors import BrokerError, NotConnected, ReconnectRequired
from . import conf, failures, impersonation, views
from .impersonation import Impersonated

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], Any]


@overload
def microsoft_required(view: View[P], /) -> View[P]: ...
@overload
def microsoft_required(*, json: bool | None = None) -> Callable[[View[P]], View[P]]: ...
def microsoft_required(view: View[P] | None = None, /, *, json: bool | None = None) -> Any:
    """Put it below ``login_required``. In the view, get a token and do not catch BrokerError. The view may be a
    coroutine function. ``json``: answer a failure with JSON, for scripts; default: if the request asks for it
    (``failures.wants_json``) or the view is one of Django REST framework."""
    if view is None:
        return functools.partial(_decorate, json=json)
    return _decorate(view, json)


def _decorate(view: View[P], json: bool | None) -> View[P]:
    # A view class of Django REST framework, as a function.
    if json is None and hasattr(getattr(view, "cls", None), "renderer_classes"):
        json = True
    if iscoroutinefunction(view):

        @functools.wraps(view)
        async def awrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                await sync_to_async(impersonation.refuse)()
                with conf.request_scope():
                    return await view(request, *args, **kwargs)
            except (BrokerError, Impersonated) as error:
                return await sync_to_async(error_response)(request, error, json)

        return awrapped

    @functools.wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            impersonation.refuse()
            with conf.request_scope():
                return view(request, *args, **kwargs)
        except (BrokerError, Impersonated) as error:
            return error_response(request, error, json)

    return wrapped


def error_response(request: HttpRequest, error: BrokerError | Impersonated, json: bool | None = None) -> HttpResponse:
    """A redirect to the connect page, which says why, if the user can solve the failure, otherwise a page that says who
    can. ``json``: see ``microsoft_required``. Logs the failure."""
    # A POST cannot be repeated by a redirect. The user comes back to the page with the form. A script's address is none
    # to come back to: the page that runs it is.
    answers_json = failures.wants_json(request) if json is None else json
    if isinstance(error, Impersonated):
        return failures.impersonated_response(request, answers_json)
    is_page = request.method in ("GET", "HEAD") and not answers_json
    here = request.get_full_path() if is_page else request.META.get("HTTP_REFERER")
    if answers_json:
        return failures.json_response(request, error, views.safe_next_url(request, here))
    if isinstance(error, NotConnected | ReconnectRequired) and error.user_can_connect:
        failures.log_failure(error, f"{request.method} {request.path}")
        return HttpResponseRedirect(failures.connect_url(views.safe_next_url(request, here), error.reason))
    return failures.problem_response(request, error)
