"""Views for connect, manage and complete. They act for the logged-in user. An attempt is bound to the Django session
that began it (docs/design.md#completion)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from ..client import is_come_back
from ..errors import BrokerError
from . import conf

_log = logging.getLogger(__name__)

SESSION_KEY = "token_broker_connect"
"""In the Django session: a keyed digest of each connect session's id → the page the user came from. Several tabs have
one entry each. The id itself is never stored: with signed-cookie sessions the user could read it."""
_MAX_ATTEMPTS = 10


@never_cache
@csrf_protect
@require_http_methods(["GET", "POST"])
@login_required
def connect(request: HttpRequest) -> HttpResponse:
    """GET: the page with the connect button; the broker's pages link to it. POST: the button."""
    next_url = safe_next_url(request, request.POST.get("next") or request.GET.get("next"))
    if request.method == "GET":
        return render(request, "token_broker/connect.html", {"next": next_url or ""})
    try:
        session = conf.get_client().begin_connect(
            conf.broker_user_id(request.user),
            allow_account_switch=request.POST.get("allow_switch") == "yes",
            locale=get_language(),
            time_zone=get_current_timezone_name(),
        )
    except BrokerError as error:
        return problem_response(request, error, retry_url=connect_url(next_url))
    attempts = dict(request.session.get(SESSION_KEY, {}))
    attempts[_digest(session.id)] = next_url
    request.session[SESSION_KEY] = dict(list(attempts.items())[-_MAX_ATTEMPTS:])
    # Not a redirect: with `form-action` in a Content-Security-Policy, Chrome blocks redirects that end at Microsoft.
    return render(request, "token_broker/continue.html", {"url": session.url})


@never_cache
@csrf_protect
@require_http_methods(["GET", "POST"])
@login_required
def manage(request: HttpRequest) -> HttpResponse:
    """Redirects to the account page of the broker. If another site sent the browser here, a page with a button comes
    first: otherwise any site could make the broker write rows in the name of the user."""
    # A browser that does not send the header is served as before.
    if request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
        return render(request, "token_broker/manage.html")
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
        return render(request, "token_broker/continue.html", {"url": session.url, "place": "your connection"})
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
    digest = _digest(connect_session_id)
    attempts = dict(request.session.get(SESSION_KEY, {}))
    if digest not in attempts:
        _end(connect_session_id, handle)
        return _not_started_here(request)
    try:
        completion = conf.get_client().complete_connect(connect_session_id, conf.broker_user_id(request.user), handle)
    except BrokerError as error:
        if error.next is not None:
            # The broker's page says what happened and what to do.
            return HttpResponseRedirect(error.next)
        if error.status in (404, 410) or error.reason == "not_back_yet":
            # The broker has deleted this attempt, or the address is not the one that it gave to the browser. A reload
            # cannot help, a new attempt can.
            return _not_started_here(request, attempts[digest])
        # The broker was not reached. A reload of this address tries again.
        return problem_response(request, error)
    next_url = attempts.pop(digest)
    request.session[SESSION_KEY] = attempts
    if next_url is None or not _has_messages(request):
        return HttpResponseRedirect(completion.next)
    username = completion.account.get("username", "your account")
    messages.success(request, f'Connected to Microsoft as {username}. Not you? Open "Microsoft account".')
    return HttpResponseRedirect(next_url)


def _end(connect_session_id: str, handle: str) -> None:
    try:
        conf.get_client().end_connect(connect_session_id, handle)
    except BrokerError as error:
        # 404: of another caller, or deleted. Otherwise its beginner has what is left of five minutes to complete it.
        if error.status != 404:
            _log.warning("a connect session that another login began was not ended: %s", error.code)


def _digest(connect_session_id: str) -> str:
    return salted_hmac("token_broker_client.connect", connect_session_id, algorithm="sha256").hexdigest()


def _not_started_here(request: HttpRequest, next_url: str | None = None) -> HttpResponse:
    """For a user who was logged out meanwhile, an attempt of another login, and an attempt that the broker has deleted.
    In each case a new attempt helps."""
    context = {"logged_in": request.user.is_authenticated, "connect_url": connect_url(next_url)}
    return render(request, "token_broker/not_started_here.html", context, status=403)


def problem_response(request: HttpRequest, error: BrokerError, retry_url: str | None = None) -> HttpResponse:
    """A page with the advice, who can help, and the one step that may help. Connecting again is offered only if the
    user can help. ``retry_url``: default is this address, for GET."""
    status = error.status if error.status in (404, 409, 410) else 503
    # After connecting, the user comes back to the page that needed a token, not to the connect page.
    here = request.get_full_path() if request.method == "GET" and retry_url is None else None
    context: dict[str, object] = {
        "error": error,
        "retry_url": retry_url or here,
        "connect_url": retry_url or connect_url(here),
    }
    if error.who_acts == "tenant_admin":
        context["message"] = message_for_administrator(request.get_host(), error)
    response = render(request, "token_broker/problem.html", context, status=status)
    if status == 503:
        response["Retry-After"] = str(int(error.retry_after or 5))
    return response


@dataclass(frozen=True)
class Message:
    subject: str
    text: str

    @property
    def mailto(self) -> str:
        """RFC 6068. No recipient: this site does not know the administrator."""
        body = self.text.replace("\n", "\r\n")
        return f"mailto:?subject={quote(self.subject, safe='')}&body={quote(body, safe='')}"


def message_for_administrator(site: str, error: BrokerError) -> Message:
    """What the user sends to the Microsoft administrator of their organisation. It names no user."""
    facts = {
        "AADSTS": error.microsoft.get("aadsts"),
        "Correlation ID": error.microsoft.get("correlation_id"),
        "Trace ID": error.microsoft.get("trace_id"),
        "Time": error.microsoft.get("timestamp"),
    }
    answer = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    lines = [
        "Hello,",
        "",
        f"I want to use Microsoft 365 from {site}, and Microsoft does not allow it.",
        error.advice,
        "",
        *(
            ["What the application asks for, and where to approve it:", error.admin_consent_url, ""]
            if error.admin_consent_url
            else []
        ),
        *([f"Microsoft's answer: {answer}"] if answer else []),
        *([f"Reference: {error.request_id}"] if error.request_id else []),
        "",
        "Thank you",
    ]
    return Message(f"Please help: Microsoft 365 and {site}", "\n".join(lines))


def connect_url(next_url: str | None = None) -> str:
    """The connect page. After connecting, the user comes back to ``next_url``."""
    url = reverse("token_broker:connect")
    return f"{url}?{urlencode({'next': next_url})}" if next_url else url


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
