"""The page for a failure, and its line in the log."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render, resolve_url
from django.urls import reverse

from ..errors import BrokerError, NotConnected
from . import conf, texts

log = logging.getLogger("token_broker_client")


def log_failure(error: BrokerError, where: str) -> None:
    """One line for each failure that this package handles: a warning, so that Django mails nothing to ADMINS. A user
    who has never connected is no failure."""
    log.log(
        logging.INFO if isinstance(error, NotConnected) else logging.WARNING,
        "%s: code=%s reason=%s who_acts=%s request_id=%s%s",
        where,
        error.code,
        error.reason,
        error.who_acts,
        error.request_id,
        f" detail={error.detail}" if error.detail else "",
        extra={
            "token_broker_code": error.code,
            "token_broker_reason": error.reason,
            "token_broker_who_acts": error.who_acts,
            "token_broker_request_id": error.request_id,
        },
    )


def connect_url(next_url: str | None = None, reason: str | None = None) -> str:
    """The connect page. After connecting, the user comes back to ``next_url``. ``reason``: why they must connect again,
    which the page says."""
    query = {name: value for name, value in (("next", next_url), ("reason", reason)) if value}
    url = reverse("token_broker:connect")
    return f"{url}?{urlencode(query)}" if query else url


def home_url() -> str:
    """Where "Back to MEGDocs" and "Cancel" lead."""
    return resolve_url(conf.get_settings().get("HOME_URL", "/"))


def render_page(
    request: HttpRequest, template: str, context: Mapping[str, Any], status: int | None = None
) -> HttpResponse:
    return render(request, f"token_broker/{template}", {"home_url": home_url(), **context}, status=status)


@dataclass(frozen=True)
class Contact:
    text: str
    url: str
    """Empty: it is a text, such as a telephone number."""


def support_contact(reference: str | None = None) -> Contact | None:
    """The setting SUPPORT_CONTACT: a text, a mail address, or a URL. ``reference``: for the subject of a mail."""
    given = str(conf.get_settings().get("SUPPORT_CONTACT") or "").strip()
    if not given:
        return None
    if re.fullmatch(r"https?://\S+", given):
        return Contact(given.partition("://")[2].rstrip("/"), given)
    is_mail = re.fullmatch(r"[^\s@:/?&]+@[^\s@:/?&]+\.[^\s@:/?&]+", given)
    if not is_mail:
        return Contact(given, "")
    subject = texts.text("supportSubject", reference=reference) if reference else texts.text("product")
    return Contact(given, f"mailto:{given}?subject={quote(subject, safe='')}")


def problem_response(request: HttpRequest, error: BrokerError, retry_url: str | None = None) -> HttpResponse:
    """A page that says what happened, who can help, and offers the one step that may help. ``retry_url``: default is
    this address, for GET."""
    status = _status_of(error)
    here = request.get_full_path() if request.method == "GET" and retry_url is None else None
    log_failure(error, f"{request.method} {request.path}")
    context: dict[str, Any] = {
        "error": error,
        "why": texts.explain(error.code, error.reason, error.who_acts),
        **_step(error, retry_url or here, retry_url or connect_url(here, error.reason)),
    }
    return _finish(render_page(request, "problem.html", context, status), error)


def json_response(request: HttpRequest, error: BrokerError, next_url: str | None = None) -> HttpResponse:
    """The same for a script: a problem document (RFC 9457). ``title`` and ``detail`` are words for the user, in the
    active language; ``action_url`` and ``action_text`` are the one button to show, absent if none helps. ``next_url``:
    the page to come back to after connecting."""
    log_failure(error, f"{request.method} {request.path}")
    why = texts.explain(error.code, error.reason, error.who_acts)
    # 404 would say that the address of the project does not exist, and may be kept in a cache.
    status = 409 if isinstance(error, NotConnected) else _status_of(error)
    # A script tries again by itself.
    step = {} if _may_pass(error) else _step(error, None, connect_url(next_url, error.reason))
    members = {
        "type": f"urn:token-broker:problem:{error.code}",
        "title": why.title,
        "status": status,
        "detail": " ".join(part for part in (why.happened, why.todo, why.recovers) if part),
        "code": error.code,
        "reason": error.reason,
        "who_acts": error.who_acts or ("user" if error.user_can_connect else None),
        "action_url": step.get("step_url"),
        "action_text": step.get("step"),
        "retry_after": _retry_after(error, status),
        "request_id": error.request_id,
    }
    found = {name: value for name, value in members.items() if value is not None}
    response = JsonResponse(found, status=status, content_type="application/problem+json")
    response["Cache-Control"] = "no-store"
    return _finish(response, error)


def impersonated_response(request: HttpRequest, json: bool) -> HttpResponse:
    """For staff who act for a user."""
    log.warning("%s %s: code=impersonated", request.method, request.path)
    title, happened, todo = (texts.text(f"django.impersonated.{part}") for part in ("title", "happened", "todo"))
    response: HttpResponse
    if json:
        kind = "urn:token-broker:problem:impersonated"
        members = {"type": kind, "title": title, "status": 403, "detail": f"{happened} {todo}", "code": "impersonated"}
        response = JsonResponse(members, status=403, content_type="application/problem+json")
    else:
        context = {"error": {"code": "impersonated"}, "why": texts.Explanation(title, happened, todo, "", "")}
        response = render_page(request, "problem.html", context, 403)
    response["Cache-Control"] = "no-store"
    # Django would log the status once more.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def wants_json(request: HttpRequest) -> bool:
    """Whether a script sent the request: it names JSON before HTML in ``Accept``, or the browser says that it loads no
    page (``Sec-Fetch-Mode``, with https), or it is the request of a view of Django REST framework."""
    if hasattr(request, "accepted_renderer"):
        return True
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None and mode != "navigate":
        return True
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return True
    accepted = request.headers.get("Accept", "")
    weights = {kind: weight for kind, weight in map(_weight, accepted.split(",")) if weight > 0}
    wanted = max((weight for kind, weight in weights.items() if _JSON.fullmatch(kind)), default=0.0)
    return wanted > weights.get("text/html", 0.0)


_JSON = re.compile(r"application/([\w.-]+\+)?json")


def _weight(media_range: str) -> tuple[str, float]:
    """The type, in small letters, and its weight (RFC 9110 section 12.5.1)."""
    kind, *parameters = (part.strip().lower() for part in media_range.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return kind, float(parameter[2:])
            except ValueError:
                return kind, 0.0
    return kind, 1.0


def _status_of(error: BrokerError) -> int:
    return error.status if error.status in (404, 409, 410) else 503


def _retry_after(error: BrokerError, status: int) -> int | None:
    """Seconds. None: no retry helps before somebody has acted."""
    if error.retry_after is not None:
        return math.ceil(error.retry_after)
    return 5 if status == 503 and error.who_acts != "ops" else None


def _finish(response: HttpResponse, error: BrokerError) -> HttpResponse:
    retry_after = _retry_after(error, response.status_code)
    if response.status_code == 503 and retry_after is not None:
        response["Retry-After"] = str(retry_after)
    # Django would log the status once more, 503 as an error.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _may_pass(error: BrokerError) -> bool:
    is_temporary = error.status in (0, 429) or error.status >= 500
    return is_temporary and error.code not in ("broker_misconfigured", "token_unreadable")


def _step(error: BrokerError, retry_url: str | None, connect: str) -> dict[str, str | None]:
    """The main button. No button offers what cannot help."""
    if error.user_can_connect:
        is_first = isinstance(error, NotConnected)
        return {"step_url": connect, "step": texts.text("actions.connect" if is_first else "actions.connectAgain")}
    if error.who_acts == "tenant_admin":
        return {"step_url": reverse("token_broker:manage"), "step": texts.text("actions.openMessage")}
    if retry_url and _may_pass(error):
        return {"step_url": retry_url, "step": texts.text("actions.tryAgain")}
    contact = support_contact(error.request_id)
    if contact is not None and contact.url:
        return {"step_url": contact.url, "step": texts.text("actions.contactSupport")}
    return {}
