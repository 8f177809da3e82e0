"""The page for a failure, and its line in the log."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from django.http import HttpRequest, HttpResponse
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
    status = error.status if error.status in (404, 409, 410) else 503
    here = request.get_full_path() if request.method == "GET" and retry_url is None else None
    log_failure(error, f"{request.method} {request.path}")
    context: dict[str, Any] = {
        "error": error,
        "why": texts.explain(error.code, error.reason, error.who_acts),
        **_step(error, retry_url or here, retry_url or connect_url(here, error.reason)),
    }
    response = render_page(request, "problem.html", context, status)
    if status == 503:
        response["Retry-After"] = str(int(error.retry_after or 5))
    # Django would log the status once more, 503 as an error.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _step(error: BrokerError, retry_url: str | None, connect: str) -> dict[str, str | None]:
    """The main button. No button offers what cannot help."""
    if error.user_can_connect:
        is_first = isinstance(error, NotConnected)
        return {"step_url": connect, "step": texts.text("actions.connect" if is_first else "actions.connectAgain")}
    if error.who_acts == "tenant_admin":
        return {"step_url": reverse("token_broker:manage"), "step": texts.text("actions.openMessage")}
    may_pass = error.status in (0, 429) or error.status >= 500
    if retry_url and may_pass and error.code not in ("broker_misconfigured", "token_unreadable"):
        return {"step_url": retry_url, "step": texts.text("actions.tryAgain")}
    contact = support_contact(error.request_id)
    if contact is not None and contact.url:
        return {"step_url": contact.url, "step": texts.text("actions.contactSupport")}
    return {}
