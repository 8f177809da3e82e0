"""Connect, manage and complete, each for the logged-in user and bound to the Django session that began (design of the broker, 2.1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from ..errors import BrokerError
from . import conf

SESSION_KEY = "token_broker_connect"
"""In the Django session: a keyed digest of a connect session's id → where the user wanted to go. Several tabs have one each. Never the id
itself: with signed-cookie sessions its user could read it, and complete with it what somebody else approved."""
_MOST = 10


@never_cache
@csrf_protect
@require_http_methods(["GET", "POST"])
@login_required
def connect(request: HttpRequest) -> HttpResponse:
    """The page with the button (GET: also where the broker's own pages lead), and the button."""
    wanted = safe_next(request, request.POST.get("next") or request.GET.get("next"))
    if request.method == "GET":
        return render(request, "token_broker/connect.html", {"next": wanted or ""})
    try:
        session = conf.client().begin_connect(
            conf.user_id_of(request.user), allow_account_switch=request.POST.get("allow_switch") == "yes"
        )
    except BrokerError as error:
        return problem(request, error, again=connect_url(wanted))
    begun = dict(request.session.get(SESSION_KEY, {}))
    begun[_digest(session.id)] = wanted
    request.session[SESSION_KEY] = dict(list(begun.items())[-_MOST:])
    # Not a redirect: with `form-action` in a Content-Security-Policy, Chrome follows none that ends at Microsoft.
    return render(request, "token_broker/going_on.html", {"url": session.url})


@never_cache
@require_GET
@login_required
def manage(request: HttpRequest) -> HttpResponse:
    try:
        return HttpResponseRedirect(conf.client().begin_connect(conf.user_id_of(request.user), intent="manage").url)
    except BrokerError as error:
        return problem(request, error)


@never_cache
@require_GET
def complete(request: HttpRequest) -> HttpResponse:
    """Where the browser comes back to. Only a connect session that this very login began is completed: otherwise somebody could have
    this user approve for somebody else."""
    connect_session = request.GET.get("connect_session", "")
    mine = _digest(connect_session)
    begun = dict(request.session.get(SESSION_KEY, {}))
    if not request.user.is_authenticated or mine not in begun:
        return _not_begun_here(request)
    try:
        done = conf.client().complete(connect_session, conf.user_id_of(request.user))
    except BrokerError as error:
        if error.next is not None:
            # The broker's page says what happened and what to do.
            return HttpResponseRedirect(error.next)
        if error.status in (404, 410):
            # The broker knows it no longer: reloading would never help, one more click does.
            return _not_begun_here(request, begun[mine])
        # Not reached: reloading this address tries again.
        return problem(request, error)
    wanted = begun.pop(mine)
    request.session[SESSION_KEY] = begun
    if wanted is None or not _can_tell(request):
        return HttpResponseRedirect(done.next)
    messages.success(
        request,
        f'Connected to Microsoft as {done.account.get("username", "your account")}. Not you? Open "Microsoft account".',
    )
    return HttpResponseRedirect(wanted)


def _digest(connect_session: str) -> str:
    return salted_hmac("token_broker_client.connect", connect_session, algorithm="sha256").hexdigest()


def _not_begun_here(request: HttpRequest, wanted: str | None = None) -> HttpResponse:
    """Logged out on the way, never begun here, or forgotten by the broker: each needs the same click."""
    shown = {"logged_in": request.user.is_authenticated, "connect_url": connect_url(wanted)}
    return render(request, "token_broker/not_begun_here.html", shown, status=403)


def problem(request: HttpRequest, error: BrokerError, again: str | None = None) -> HttpResponse:
    """What stands in the way, who can do something, and the one button that may help: ``again``, by default this address."""
    status = error.status if error.status in (404, 409, 410) else 503
    # What is being connected for, when connecting again: not the connect page itself.
    wanted = request.get_full_path() if request.method == "GET" and again is None else None
    shown = {"error": error, "again": again or wanted, "connect_url": again or connect_url(wanted)}
    response = render(request, "token_broker/problem.html", shown, status=status)
    if status == 503:
        response["Retry-After"] = str(int(error.retry_after or 5))
    return response


def connect_url(next_url: str | None = None) -> str:
    """The connect page, coming back to ``next_url`` afterwards."""
    url = reverse("token_broker:connect")
    return f"{url}?{urlencode({'next': next_url})}" if next_url else url


def safe_next(request: HttpRequest, url: str | None) -> str | None:
    """A place of ours, or None: nobody can send a user elsewhere."""
    if not url or not url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return resolve_url(conf.values()["AFTER_CONNECT"]) if conf.values().get("AFTER_CONNECT") else None
    return url


def _can_tell(request: Any) -> bool:
    return "django.contrib.messages" in settings.INSTALLED_APPS and hasattr(request, "_messages")
