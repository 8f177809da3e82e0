"""Connect, manage and complete, each for the logged-in user and bound to the Django session that began (design of the broker, 2.1)."""

from __future__ import annotations

from typing import Any, Optional
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from ..errors import BrokerError
from . import conf

SESSION_KEY = "token_broker_connect"
"""In the Django session: id of a connect session → where the user wanted to go. Several tabs have one each."""
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
        session = conf.client().begin_connect(conf.user_id_of(request.user), allow_account_switch=request.POST.get("allow_switch") == "yes")
    except BrokerError as error:
        return problem(request, error)
    begun = dict(request.session.get(SESSION_KEY, {}))
    begun[session.id] = wanted
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
    begun = dict(request.session.get(SESSION_KEY, {}))
    if not request.user.is_authenticated or connect_session not in begun:
        # Logged out on the way, or never begun here: this request cannot tell, and both need the same click.
        return render(request, "token_broker/not_begun_here.html", {"logged_in": request.user.is_authenticated}, status=403)
    try:
        done = conf.client().complete(connect_session, conf.user_id_of(request.user))
    except BrokerError as error:
        # The broker's page says what happened and what to do. Not reached: reloading this address tries again.
        return problem(request, error) if error.next is None else HttpResponseRedirect(error.next)
    wanted = begun.pop(connect_session)
    request.session[SESSION_KEY] = begun
    if wanted is None or not _can_tell(request):
        return HttpResponseRedirect(done.next)
    messages.success(request, f"Connected to Microsoft as {done.account.get('username', 'your account')}. Not you? Open \"Microsoft account\".")
    return HttpResponseRedirect(wanted)


def problem(request: HttpRequest, error: BrokerError) -> HttpResponse:
    """What stands in the way, who can do something, and the one button that may help."""
    status = error.status if error.status in (404, 409, 410) else 503
    again = request.get_full_path() if request.method == "GET" else ""
    response = render(request, "token_broker/problem.html", {"error": error, "next": again}, status=status)
    if status == 503:
        response["Retry-After"] = str(int(error.retry_after or 5))
    return response


def connect_url(next_url: Optional[str] = None) -> str:
    """The connect page, coming back to ``next_url`` afterwards."""
    url = reverse("token_broker:connect")
    return f"{url}?{urlencode({'next': next_url})}" if next_url else url


def safe_next(request: HttpRequest, url: Optional[str]) -> Optional[str]:
    """A place of ours, or None: nobody can send a user elsewhere."""
    if not url or not url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return resolve_url(conf.values()["AFTER_CONNECT"]) if conf.values().get("AFTER_CONNECT") else None
    return url


def _can_tell(request: Any) -> bool:
    return "django.contrib.messages" in settings.INSTALLED_APPS and hasattr(request, "_messages")
