"""Views for connect, manage and complete. They act for the logged-in user. An attempt is bound to the Django session
that began it (docs/design.md#completion)."""

from __future__ import annotations

from importlib import resources

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import get_language
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from ..answers import Completion
from ..client import is_come_back
from ..errors import BrokerError
from . import attempts, conf, statuses, texts
from .failures import connect_url, log, log_failure, problem_response, render_page

__all__ = ["complete", "connect", "connect_url", "manage", "problem_response", "safe_next_url", "stylesheet"]


@never_cache
@csrf_protect
@require_http_methods(["GET", "POST"])
@login_required
def connect(request: HttpRequest) -> HttpResponse:
    """GET: the page with the connect button; the broker's pages link to it. POST: the button."""
    asked_url = request.POST.get("next") or request.GET.get("next")
    if request.method == "GET":
        next_url = safe_next_url(request, asked_url or attempts.wanted_url(request))
        attempts.name_login(request)
        reason = request.GET.get("reason")
        why = texts.explain("reconnect_required", reason, "user") if texts.is_known(reason) else None
        return render_page(request, "connect.html", {"next": next_url or "", "why": why})
    next_url = safe_next_url(request, asked_url)
    user_id = conf.broker_user_id(request.user)
    try:
        session = conf.get_client().begin_connect(
            user_id,
            allow_account_switch=request.POST.get("allow_switch") == "yes",
            locale=get_language(),
            time_zone=get_current_timezone_name(),
        )
    except BrokerError as error:
        return problem_response(request, error, retry_url=connect_url(next_url))
    attempts.begin(request, session.id, user_id, next_url)
    # Not a redirect: with `form-action` in a Content-Security-Policy, Chrome blocks redirects that end at Microsoft.
    return _continue_page(request, session.url, "django.continueTitle", "actions.continueToMicrosoft")


@never_cache
@csrf_protect
@require_http_methods(["GET", "POST"])
@login_required
def manage(request: HttpRequest) -> HttpResponse:
    """Redirects to the account page of the broker. If another site sent the browser here, a page with a button comes
    first: otherwise any site could make the broker write rows in the name of the user."""
    # A browser that does not send the header is served as before.
    if request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
        return render_page(request, "manage.html", {})
    try:
        session = conf.get_client().begin_connect(
            conf.broker_user_id(request.user),
            intent="manage",
            locale=get_language(),
            time_zone=get_current_timezone_name(),
        )
    except BrokerError as error:
        return problem_response(request, error)
    if request.method == "POST":
        # Not a redirect, as for `connect`.
        return _continue_page(request, session.url, "account.title", "actions.openConnection")
    return HttpResponseRedirect(session.url)


@never_cache
@require_GET
def complete(request: HttpRequest) -> HttpResponse:
    """The browser comes back here. Only a connect session that this login began is completed. Otherwise an attacker
    could send a user a link, and get the user's files into the attacker's account. Such a connect session is ended, so
    that the attacker cannot complete it with the address of this page."""
    response = _complete(request)
    # The address holds the handle. Other sites must not get it, from a page that loads something from them.
    response.setdefault("Referrer-Policy", "same-origin")
    return response


def _complete(request: HttpRequest) -> HttpResponse:
    connect_session_id, handle = request.GET.get("connect_session", ""), request.GET.get("handle", "")
    if not request.user.is_authenticated or not is_come_back(connect_session_id, handle):
        return _not_started_here(request)
    attempt = attempts.find(request, connect_session_id)
    if attempt is None:
        log.warning("GET %s: code=not_begun_here: another login began this connect session", request.path)
        _end(connect_session_id, handle)
        return _not_started_here(request)
    if attempt.completed_at is not None:
        # A reload, or Back: it was completed, and is not completed again.
        return HttpResponseRedirect(attempt.next_url or attempt.result_url)
    try:
        completion = conf.get_client().complete_connect(connect_session_id, conf.broker_user_id(request.user), handle)
    except BrokerError as error:
        if error.next is not None:
            attempts.fail(attempt, error)
            # The broker's page says what happened and what to do.
            log_failure(error, f"GET {request.path}")
            return HttpResponseRedirect(error.next)
        if error.status in (404, 410) or error.reason == "not_back_yet":
            # The broker has deleted this attempt, or the address is not the one that it gave to the browser. A reload
            # cannot help, a new attempt can.
            log_failure(error, f"GET {request.path}")
            return _not_started_here(request, attempt.next_url)
        # The broker was not reached. A reload of this address tries again.
        return problem_response(request, error)
    attempts.complete(attempt, completion.next)
    statuses.note_connected(request.user, conf.broker_user_id(request.user), completion.account)
    if not attempt.next_url or not _has_messages(request):
        return HttpResponseRedirect(attempt.next_url or completion.next)
    _add_message(request, completion)
    return HttpResponseRedirect(attempt.next_url)


def _continue_page(request: HttpRequest, url: str, title: str, action: str) -> HttpResponse:
    context = {"url": url, "title": texts.text(title), "action": texts.text(action)}
    return render_page(request, "continue.html", context)


def _add_message(request: HttpRequest, completion: Completion) -> None:
    """The text of the template ``connected_message.html``. A project that makes it empty gets no message."""
    username = completion.account.get("username")
    # An address is read from left to right, also in a text that is not.
    shown = format_html('<bdi dir="ltr">{}</bdi>', username) if username else ""
    context = {"account": username, "shown_account": shown}
    message = render_to_string("token_broker/connected_message.html", context, request=request).strip()
    if message:
        messages.success(request, mark_safe(message))


def _end(connect_session_id: str, handle: str) -> None:
    try:
        conf.get_client().end_connect(connect_session_id, handle)
    except BrokerError as error:
        # 404: of another caller, or deleted. Otherwise its beginner has what is left of five minutes to complete it.
        if error.status != 404:
            log_failure(error, "a connect session that another login began was not ended")


def _not_started_here(request: HttpRequest, next_url: str | None = None) -> HttpResponse:
    """For a user who was logged out meanwhile, an attempt of another login, and an attempt that the broker has deleted.
    In each case a new attempt helps."""
    context = {"logged_in": request.user.is_authenticated, "connect_url": connect_url(next_url)}
    response = render_page(request, "not_started_here.html", context, status=403)
    # What needs a line has one already.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


@require_GET
@cache_control(public=True, max_age=3600)
def stylesheet(request: HttpRequest) -> HttpResponse:
    """The stylesheet of the broker's pages. Needs no static files, and no exception in a Content-Security-Policy."""
    return HttpResponse(_STYLESHEET, content_type="text/css; charset=utf-8")


_STYLESHEET = resources.files("token_broker_client.django").joinpath("pages.css").read_text(encoding="utf-8")


def safe_next_url(request: HttpRequest, url: str | None) -> str | None:
    """The URL if it belongs to this site, otherwise AFTER_CONNECT_URL, or None. Prevents redirects to other sites."""
    if url and url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return url
    default = conf.get_settings().get("AFTER_CONNECT_URL")
    return resolve_url(default) if default else None


def _has_messages(request: HttpRequest) -> bool:
    return "django.contrib.messages" in settings.INSTALLED_APPS and hasattr(request, "_messages")
