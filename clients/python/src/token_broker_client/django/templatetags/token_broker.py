"""``{% load token_broker %}{% microsoft_status as microsoft %}`` shows whether this user's Microsoft account is
connected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe

from ...answers import Account, Integration
from ...errors import BrokerError, BrokerUnreachable
from .. import conf, statuses, texts
from ..failures import Contact, connect_url, support_contact

register = template.Library()


@register.simple_tag
def microsoft_text(key: str, **values: str) -> str:
    """A text of the package, such as ``{% microsoft_text "actions.connect" %}``, in the active language."""
    if any(isinstance(value, SafeString) for value in values.values()):
        escaped = {name: conditional_escape(value) for name, value in values.items()}
        return mark_safe(texts.fill(escape(texts.text(key)), escaped))
    return texts.text(key, **values)


@register.simple_tag
def microsoft_language() -> str:
    """The language of these texts, for ``lang``."""
    return texts.language()


@register.simple_tag
def microsoft_support(reference: str | None = None) -> Contact | None:
    """The setting SUPPORT_CONTACT: ``text`` and ``url``. ``reference``: for the subject of a mail."""
    return support_contact(reference)


@dataclass(frozen=True)
class Status:
    state: str
    """``connected``, ``not_connected``, ``reconnect_required``, ``frozen`` (access is paused), or ``unknown`` if the
    broker could not be asked."""
    username: str = ""
    advice: str = ""
    """What happened and what the user can do, in the user's language. Empty if all is well."""
    who_acts: str = ""
    missing_scopes: list[str] = field(default_factory=list)
    connect_url: str = ""
    """Empty if connecting does not help: then show ``advice`` and ``manage_url``."""
    manage_url: str = ""
    """The page with the connection. If an administrator must act, it has the message to send to them."""
    action_url: str = ""
    action_text: str = ""
    """The one button to show, with its words in the user's language. Empty: there is nothing to do."""


@register.simple_tag(takes_context=True)
def microsoft_status(context: dict[str, Any]) -> Status:
    """Reads the stored status while ``token_broker_events`` runs. If it does not, makes one call to the broker, and
    waits at most 0.2 seconds for it; without an answer it takes the stored status. Never raises BrokerError."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if request is None or user is None or not user.is_authenticated:
        return Status("not_connected")
    manage_url = reverse("token_broker:manage")
    here = request.get_full_path() if request.method == "GET" else None
    user_id = conf.usable_user_id(user)
    if user_id is None:
        return Status("not_connected")
    stored = statuses.as_integration(user_id)
    # With cron, a user who comes back from the broker's page would see for minutes what was before.
    if statuses.is_fresh(statuses.READ_NOW):
        is_connected = stored is not None and stored["status"] != "disconnected"
        return _shown(stored if is_connected else None, here, manage_url)
    if conf.get_status_breaker().enter() == "open":
        return _last_known(stored, "broker_unreachable", here, manage_url)
    try:
        timeout_seconds = conf.get_settings().get("STATUS_TIMEOUT_SECONDS") or conf.STATUS_TIMEOUT_SECONDS
        found = conf.get_client().get_integration(user_id, timeout_seconds=timeout_seconds)
        conf.get_status_breaker().succeed()
    except BrokerError as error:
        if error.status == 0:
            is_timeout = isinstance(error, BrokerUnreachable) and error.is_timeout
            conf.get_status_breaker().fail(is_timeout=is_timeout)
        return _last_known(stored, error.code, here, manage_url)
    return _shown(found, here, manage_url)


def _last_known(stored: statuses.StoredStatus | None, code: str, here: str | None, manage_url: str) -> Status:
    if stored is None or stored["status"] == "disconnected":
        return _unknown(code, manage_url)
    return _shown(stored, here, manage_url)


def _shown(found: Integration | statuses.StoredStatus | None, here: str | None, manage_url: str) -> Status:
    if found is None:
        url = connect_url(here)
        return Status(
            "not_connected",
            connect_url=url,
            manage_url=manage_url,
            action_url=url,
            action_text=texts.text("actions.connect"),
        )
    username = (found.get("account") or Account()).get("username", "")
    frozen, failure = found.get("frozen"), found.get("failure")
    if frozen is not None:
        who_acts = frozen["who_acts"]
        advice = _advice("frozen", frozen["reason"], who_acts)
        contact = support_contact()
        return Status(
            "frozen",
            username,
            advice,
            who_acts,
            manage_url=manage_url,
            action_url=contact.url if contact else "",
            action_text=texts.text("actions.contactSupport") if contact and contact.url else "",
        )
    if found["status"] == "active":
        return Status(
            "connected",
            username,
            missing_scopes=found["missing_scopes"],
            connect_url=connect_url(here),
            manage_url=manage_url,
        )
    reason, who_acts = (None, "user") if failure is None else (failure["reason"], failure["who_acts"])
    url = connect_url(here, reason) if who_acts == "user" else ""
    contact = support_contact()
    step_url, step = {
        "ops": (contact.url, texts.text("actions.contactSupport")) if contact and contact.url else ("", ""),
        "user": (url, texts.text("actions.connectAgain")),
        "tenant_admin": (manage_url, texts.text("actions.openMessage")),
    }.get(who_acts, ("", ""))
    return Status(
        "reconnect_required",
        username,
        _advice("reconnect_required", reason, who_acts),
        who_acts,
        found["missing_scopes"],
        url,
        manage_url,
        step_url,
        step,
    )


def _unknown(code: str, manage_url: str) -> Status:
    return Status("unknown", advice=_advice(code), manage_url=manage_url)


_FOR_SUPPORT = ("broker_misconfigured", "token_unreadable", "internal_error")


def _advice(code: str, reason: str | None = None, who_acts: str | None = None) -> str:
    why = texts.explain(code, reason, who_acts)
    # Those texts ask for the reference of a page. Here is none.
    is_for_support = who_acts == "ops" if code == "reconnect_required" else code in _FOR_SUPPORT
    todo = texts.text("django.tellSupport") if is_for_support else why.todo
    return " ".join(part for part in (f"{why.title}.", why.happened, todo) if part)
