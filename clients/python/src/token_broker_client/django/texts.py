"""All words for people, in the language that Django has activated. They are those of the broker's pages: `npm run
texts` in its repository writes ``texts.json`` and the catalogues in ``locale``. A project changes a text in its own
catalogue, with the same context."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from django.utils.translation import pgettext

_DATA: dict[str, Any] = json.loads(
    resources.files("token_broker_client.django").joinpath("texts.json").read_text(encoding="utf-8")
)
_TEXTS: dict[str, str] = _DATA["texts"]
_PROBLEM_OF_CODE: dict[str, str] = _DATA["problemOfCode"]
_FOR_ADMINISTRATORS = frozenset(_DATA["forAdministrators"])
_PAUSED = frozenset(("user_frozen", "tenant_frozen", "caller_key_frozen"))


@dataclass(frozen=True)
class Explanation:
    """A failure in words for the user."""

    title: str
    happened: str
    todo: str
    who: str
    """Who can solve it; empty if the user can, or nobody has to."""
    recovers: str
    """That nobody has to connect again; empty if that is not so."""


def text(key: str, **values: str) -> str:
    """The text of a key of ``texts.json``, such as ``actions.connect``. ``values``: for its placeholders."""
    return fill(pgettext(f"token_broker.{key}", _TEXTS[key]), values)


def fill(found: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        found = found.replace(f"{{{name}}}", value)
    return found


def language() -> str:
    """The language of the texts, for the attribute ``lang``. It differs from Django's if there is no catalogue for
    that one."""
    return pgettext("token_broker.language", "en")


def explain(code: str, reason: str | None = None, who_acts: str | None = None) -> Explanation:
    """Any failure. ``advice`` of the broker is for developers, so it is never shown."""
    key = _key_of(code, reason, who_acts)
    title, happened, todo = (text(f"{key}.{part}") for part in ("title", "happened", "todo"))
    if who_acts == "tenant_admin" or reason in _FOR_ADMINISTRATORS:
        # Those texts speak of a message below. It is on the account page.
        todo = text("django.askIt") if who_acts == "tenant_admin" else ""
    recovers = who_acts in ("tenant_admin", "ops") and code == "reconnect_required" and reason not in _PAUSED
    return Explanation(
        title,
        happened,
        todo,
        text(f"actors.{who_acts}") if who_acts in ("tenant_admin", "ops") else "",
        text("cure.recovers") if recovers else "",
    )


def _key_of(code: str, reason: str | None, who_acts: str | None) -> str:
    if reason is not None and f"reasons.{reason}.title" in _TEXTS:
        return f"reasons.{reason}"
    # A reason of a later broker, or a code of it.
    is_unknown = reason is not None or code not in _PROBLEM_OF_CODE or code == "reconnect_required"
    if is_unknown and f"unknownReason.{who_acts}.title" in _TEXTS:
        return f"unknownReason.{who_acts}"
    return _PROBLEM_OF_CODE.get(code, "problems.internal_error")


def is_known(reason: str | None) -> bool:
    """Whether there are words for this reason. It may come with an address, which anybody can write."""
    return reason is not None and f"reasons.{reason}.title" in _TEXTS


def is_for_administrators(reason: str | None) -> bool:
    """Whether there is a message for the organisation's IT about it."""
    return reason in _FOR_ADMINISTRATORS
