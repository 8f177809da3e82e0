"""``{% load token_broker %}{% microsoft_status as microsoft %}`` shows whether this user's Microsoft account is
connected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django import template
from django.urls import reverse

from ...errors import BrokerError
from .. import conf
from ..views import connect_url

register = template.Library()


@dataclass(frozen=True)
class Status:
    state: str
    """``connected``, ``not_connected``, ``reconnect_required``, ``frozen`` (access is paused: show ``advice``), or
    ``unknown`` if the broker could not be asked."""
    username: str = ""
    advice: str = ""
    who_acts: str = ""
    missing_scopes: list[str] = field(default_factory=list)
    connect_url: str = ""
    """Empty if the user cannot help: then show ``advice`` and ``manage_url``."""
    manage_url: str = ""
    """The page with the connection. If an administrator must act, it has the message to send to them."""


@register.simple_tag(takes_context=True)
def microsoft_status(context: dict[str, Any]) -> Status:
    """Makes one call to the broker, which takes at most two seconds. Never raises BrokerError."""
    request = context["request"]
    if not request.user.is_authenticated:
        return Status("not_connected")
    manage_url = reverse("token_broker:manage")
    url = connect_url(request.get_full_path() if request.method == "GET" else None)
    try:
        user_id = conf.broker_user_id(request.user)
        found = conf.get_client().get_integration(user_id, timeout_seconds=conf.SHORT_TIMEOUT_SECONDS)
    except BrokerError as error:
        return Status("unknown", advice=error.advice, connect_url=url, manage_url=manage_url)
    if found is None:
        return Status("not_connected", connect_url=url, manage_url=manage_url)
    frozen = found.get("frozen")
    if frozen is not None:
        username = (found.get("account") or {}).get("username", "")
        advice, who_acts = frozen.get("advice", ""), frozen.get("who_acts", "ops")
        return Status("frozen", username=username, advice=advice, who_acts=who_acts, manage_url=manage_url)
    failure = found.get("failure") or {}
    is_active = found["status"] == "active"
    who_acts = failure.get("who_acts", "")
    return Status(
        "connected" if is_active else "reconnect_required",
        username=(found.get("account") or {}).get("username", ""),
        advice="" if is_active else failure.get("advice", ""),
        who_acts=who_acts,
        missing_scopes=found["missing_scopes"],
        connect_url=url if is_active or who_acts in ("", "user") else "",
        manage_url=manage_url,
    )
