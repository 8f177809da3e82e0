"""The setting TOKEN_BROKER, read when it is first needed, and the one client made from it."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from ..client import Client
from ..keys import Ed25519Key, Ed25519PublicKey, HmacKey

NAMES = {
    "URL",
    "AUTHORITY",
    "KEY_ID",
    "SECRET",
    "PRIVATE_KEY",
    "RESPONSE_KEY_ID",
    "RESPONSE_PUBLIC_KEY",
    "TRANSPORT",
    "DEADLINE",
    "USER_ID",
    "READ_FROM",
    "OLD_TOKEN",
    "IMPORT",
    "AFTER_CONNECT",
}
SHORT = 2.0
"""Seconds for what a page or a logout asks only by the way."""
_USER_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]{1,128}")
_lock = threading.Lock()
_client: Client | None = None


def values() -> dict[str, Any]:
    found = getattr(settings, "TOKEN_BROKER", None)
    if not isinstance(found, dict):
        raise ImproperlyConfigured(
            "TOKEN_BROKER is missing from the settings: a dictionary with URL, KEY_ID and SECRET"
        )
    return found


def problems() -> list[str]:
    """What is wrong with the setting, in words that hold no value of it."""
    try:
        given = values()
    except ImproperlyConfigured as error:
        return [str(error)]
    wrong = [f"TOKEN_BROKER has no {name}" for name in ("URL", "KEY_ID") if not given.get(name)]
    if bool(given.get("SECRET")) == bool(given.get("PRIVATE_KEY")):
        wrong.append("TOKEN_BROKER needs either SECRET (HMAC) or PRIVATE_KEY (Ed25519)")
    wrong += [f"TOKEN_BROKER does not know {name}" for name in sorted(set(given) - NAMES)]
    if given.get("READ_FROM", "broker") not in ("broker", "old"):
        wrong.append('TOKEN_BROKER READ_FROM is "broker" or "old"')
    if given.get("READ_FROM") == "old" and not given.get("OLD_TOKEN"):
        wrong.append(
            'TOKEN_BROKER READ_FROM is "old": OLD_TOKEN must name the function that reads a token from the old table'
        )
    for name in ("USER_ID", "OLD_TOKEN", "TRANSPORT"):
        if isinstance(given.get(name), str):
            try:
                import_string(given[name])
            except ImportError:
                wrong.append(f"TOKEN_BROKER {name} cannot be imported")
    if not wrong:
        try:
            _make()
        except (ValueError, ImportError) as error:
            wrong.append(f"TOKEN_BROKER: {error}")
    return wrong


def client() -> Client:
    """The client of this process."""
    global _client
    with _lock:
        if _client is None:
            _client = _make()
        return _client


def user_id_of(user: Any) -> str:
    """MEGDocs' id of a user as the broker knows it: the primary key, unless USER_ID names a function. Raises ImproperlyConfigured where
    that is no id for the broker, and ValueError for a user that is nobody (AnonymousUser, or not saved)."""
    if user is None or user.pk is None:
        raise ValueError("this user has no primary key: nobody is logged in, or the user was not saved")
    function = _function("USER_ID")
    found = user.pk if function is None else function(user)
    if found is None or not _USER_ID.fullmatch(str(found)):
        raise ImproperlyConfigured(
            "TOKEN_BROKER USER_ID must give 1 to 128 characters of A-Z a-z 0-9 . _ ~ - (and not . or ..) for each user"
        )
    return str(found)


def old_token_of() -> Callable[[Any], str]:
    function = _function("OLD_TOKEN")
    if function is None:
        raise ImproperlyConfigured("TOKEN_BROKER OLD_TOKEN is missing")
    return function


def _function(name: str) -> Callable[..., Any] | None:
    given = values().get(name)
    return import_string(given) if isinstance(given, str) else given


def _make() -> Client:
    given = values()
    options: dict[str, Any] = {"authority": given.get("AUTHORITY")}
    if given.get("DEADLINE") is not None:
        options["deadline"] = given["DEADLINE"]
    transport = _function("TRANSPORT")
    if transport is not None:
        options["transport"] = transport()
    if given.get("PRIVATE_KEY"):
        options["response_key"] = Ed25519PublicKey(
            given.get("RESPONSE_KEY_ID", ""), given.get("RESPONSE_PUBLIC_KEY", "")
        )
        return Client(given["URL"], Ed25519Key(given["KEY_ID"], given["PRIVATE_KEY"]), **options)
    return Client(given["URL"], HmacKey(given["KEY_ID"], given["SECRET"]), **options)


@contextlib.contextmanager
def using(other: Client) -> Iterator[Client]:
    """Another client for the time of a test: ``with using(FakeBroker().client())``."""
    global _client
    before, _client = _client, other
    try:
        yield other
    finally:
        _client = before


def _forget(*, setting: str, **_: Any) -> None:
    global _client
    if setting == "TOKEN_BROKER":
        _client = None


setting_changed.connect(_forget)
