"""Reads the setting TOKEN_BROKER when it is first needed, and makes the one client of this process from it."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.local import Local
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist, ValidationError
from django.core.signals import request_finished, request_started, setting_changed
from django.utils.module_loading import import_string

from ..breaker import Breaker, TimeStore, shared_time
from ..client import Client
from ..disconnects import KEEP_DAYS
from ..keys import Ed25519Key, Ed25519PublicKey, HmacKey
from ..locks import ForkSafeLock
from ..transports import StandardTransport

if TYPE_CHECKING:
    from ..testing import FakeBroker

R = TypeVar("R", "Client", "FakeBroker")

log = logging.getLogger("token_broker_client")

SETTINGS = {
    "URL",
    "AUTHORITY",
    "KEY_ID",
    "SECRET",
    "PRIVATE_KEY",
    "RESPONSE_KEY_ID",
    "RESPONSE_PUBLIC_KEY",
    "TRANSPORT",
    "CA_FILE",
    "TIMEOUT_SECONDS",
    "STATUS_TIMEOUT_SECONDS",
    "KEEP_DISCONNECTS_DAYS",
    "USER_ID_FUNCTION",
    "FIND_USER_FUNCTION",
    "IS_IMPERSONATED_FUNCTION",
    "SITE_URL",
    "READ_FROM",
    "OLD_TOKEN_FUNCTION",
    "IMPORT",
    "AFTER_CONNECT_URL",
    "HOME_URL",
    "SUPPORT_CONTACT",
    "ON_DELETE",
    "ON_DEACTIVATE",
    "ON_MERGE",
}
TIMEOUT_SECONDS = 2.0
"""For a call, unless the setting says something else. A page waits for it."""
LOGOUT_TIMEOUT_SECONDS = 1.0
STATUS_TIMEOUT_SECONDS = 0.2
"""For the status tag, unless the setting says something else: the page does not depend on it."""
_USER_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]{1,128}")
_warned = False
_lock = ForkSafeLock()
_client: Client | None = None
_replaced_by: Client | FakeBroker | None = None
"""By ``use_client`` or ``use_fake``, for tests."""
_status_breaker: Breaker | None = None
_requests = itertools.count()
_current = Local()


class UnusableUserId(ImproperlyConfigured):
    """The broker does not accept the id of a user."""


def get_settings() -> dict[str, Any]:
    """The setting TOKEN_BROKER. Raises ImproperlyConfigured if it is missing."""
    found = getattr(settings, "TOKEN_BROKER", None)
    if not isinstance(found, dict):
        raise ImproperlyConfigured(
            "TOKEN_BROKER is missing from the settings: a dictionary with URL, KEY_ID and SECRET"
        )
    return found


def settings_problems() -> list[str]:
    """What is wrong with the setting. The texts contain no value of it, except names of functions."""
    try:
        given = get_settings()
    except ImproperlyConfigured as error:
        return [str(error)]
    wrong = [f"TOKEN_BROKER has no {name}" for name in ("URL", "KEY_ID") if not given.get(name)]
    if bool(given.get("SECRET")) == bool(given.get("PRIVATE_KEY")):
        wrong.append("TOKEN_BROKER needs either SECRET (HMAC) or PRIVATE_KEY (Ed25519)")
    wrong += [f"TOKEN_BROKER has an unknown key {name}" for name in sorted(set(given) - SETTINGS)]
    if given.get("READ_FROM", "broker") not in ("broker", "old"):
        wrong.append('TOKEN_BROKER READ_FROM must be "broker" or "old"')
    if given.get("READ_FROM") == "old" and not given.get("OLD_TOKEN_FUNCTION"):
        wrong.append(
            'TOKEN_BROKER READ_FROM is "old", so OLD_TOKEN_FUNCTION must name the function '
            "that reads a token from the old table"
        )
    for name in (
        "USER_ID_FUNCTION",
        "FIND_USER_FUNCTION",
        "IS_IMPERSONATED_FUNCTION",
        "OLD_TOKEN_FUNCTION",
        "TRANSPORT",
    ):
        if isinstance(given.get(name), str):
            try:
                import_string(given[name])
            except ImportError:
                wrong.append(f"TOKEN_BROKER {name} cannot be imported")
    wrong += [
        f'TOKEN_BROKER {name} must be "disconnect" or "keep"'
        for name in ("ON_DELETE", "ON_DEACTIVATE", "ON_MERGE")
        if given.get(name, "disconnect") not in ("disconnect", "keep")
    ]
    keep = given.get("KEEP_DISCONNECTS_DAYS")
    if keep is not None and not (isinstance(keep, int) and keep > 0):
        wrong.append("TOKEN_BROKER KEEP_DISCONNECTS_DAYS must be a whole number of days")
    if not wrong:
        try:
            _make_client()
        except (ValueError, ImportError) as error:
            wrong.append(f"TOKEN_BROKER: {error}")
        except OSError as error:  # ssl.SSLError is one
            wrong.append(f"TOKEN_BROKER CA_FILE is not a readable file of certificates (PEM): {type(error).__name__}")
        except TypeError:
            if not given.get("CA_FILE"):
                raise
            wrong.append("TOKEN_BROKER TRANSPORT takes no ca_file, so CA_FILE cannot be used with it")
    return wrong


def get_client() -> Client:
    """The client of this process."""
    global _client
    with _lock:
        if _client is None:
            _client = _make_client()
        return _client


def get_status_breaker() -> Breaker:
    """For the status tag, whose short timeout says nothing about other calls."""
    global _status_breaker
    with _lock:
        if _status_breaker is None:
            _status_breaker = Breaker(time.monotonic, store=_breaker_store("status"))
        return _status_breaker


def _breaker_store(kind: str) -> TimeStore | None:
    """So that one worker's timeout spares the other workers. None with a fake broker: tests run at the same time."""
    given = get_settings()
    if uses_fake_transport():
        return None
    return shared_time(" ".join((kind, given.get("URL", ""), given.get("KEY_ID", ""))))


def uses_fake_transport() -> bool:
    return bool(getattr(_function("TRANSPORT"), "is_fake", False))


def disconnects_on(setting: str) -> bool:
    """``setting``: ON_DELETE, ON_DEACTIVATE or ON_MERGE."""
    return bool(get_settings().get(setting, "disconnect") == "disconnect")


def broker_user_id(user: Any) -> str:
    """The broker's id of a user: the primary key, or the result of USER_ID_FUNCTION.

    Raises UnusableUserId (ImproperlyConfigured) if the broker does not accept that id, and ValueError for a user
    without primary key (AnonymousUser, or not saved).
    """
    if user is None or user.pk is None:
        raise ValueError("this user has no primary key: nobody is logged in, or the user was not saved")
    function = _function("USER_ID_FUNCTION")
    found = user.pk if function is None else function(user)
    if found is None or not _USER_ID.fullmatch(str(found)):
        raise UnusableUserId(
            "TOKEN_BROKER USER_ID_FUNCTION must return 1 to 128 characters of A-Z a-z 0-9 . _ ~ - "
            "(and not . or ..) for each user"
        )
    return str(found)


def can_find_users() -> bool:
    """Whether ``find_user`` can tell that there is no such user."""
    return _function("FIND_USER_FUNCTION") is not None or _function("USER_ID_FUNCTION") is None


def usable_user_id(user: Any) -> str | None:
    """As ``broker_user_id``. None: the user has no id that the broker accepts, so they never connected."""
    global _warned
    try:
        return broker_user_id(user)
    except (UnusableUserId, ObjectDoesNotExist) as error:
        if not _warned:
            _warned = True
            text = "a user has no id that the token broker accepts, and counts as never connected: %s"
            log.warning(text, type(error).__name__)
        return None


def find_user(broker_user_id: str) -> Any | None:
    """The user of an id of the broker: the result of FIND_USER_FUNCTION, or the user with this primary key. None: there
    is none, or only USER_ID_FUNCTION is set, which says nothing about this direction."""
    find = _function("FIND_USER_FUNCTION")
    if find is not None:
        try:
            return find(broker_user_id)
        except ObjectDoesNotExist:
            return None
    if _function("USER_ID_FUNCTION") is not None:
        return None
    model = get_user_model()
    try:
        return model._default_manager.filter(pk=broker_user_id).first()
    except (ValueError, ValidationError):
        return None


def old_token_function() -> Callable[[Any], str]:
    function = _function("OLD_TOKEN_FUNCTION")
    if function is None:
        raise ImproperlyConfigured("TOKEN_BROKER OLD_TOKEN_FUNCTION is missing")
    return function


def _function(name: str) -> Callable[..., Any] | None:
    given = get_settings().get(name)
    return import_string(given) if isinstance(given, str) else given


def make_client_for_checks() -> Client:
    """It asks also if another process has found that the broker does not answer."""
    return _make_client(breaker_seconds=0.0, breaker_store=None)


def _make_client(**changes: Any) -> Client:
    given = get_settings()
    if isinstance(_replaced_by, Client):
        return _replaced_by
    if _replaced_by is not None:
        return _replaced_by.client(**_options())
    options: dict[str, Any] = {"authority": given.get("AUTHORITY"), **_options()}
    options["breaker_store"] = _breaker_store("calls")
    transport = _function("TRANSPORT")
    if given.get("CA_FILE"):
        options["transport"] = (transport or StandardTransport)(ca_file=given["CA_FILE"])
    elif transport is not None:
        options["transport"] = transport()
        options.update(getattr(options["transport"], "client_options", {}))
    options.update(changes)
    if given.get("PRIVATE_KEY"):
        options["response_key"] = Ed25519PublicKey(
            given.get("RESPONSE_KEY_ID", ""), given.get("RESPONSE_PUBLIC_KEY", "")
        )
        return Client(given["URL"], Ed25519Key(given["KEY_ID"], given["PRIVATE_KEY"]), **options)
    return Client(given["URL"], HmacKey(given["KEY_ID"], given["SECRET"]), **options)


def _options() -> dict[str, Any]:
    # Models can be imported only when the apps are loaded, and settings may import this module before.
    from .disconnects import DatabaseDisconnects, may_use_memory

    given = get_settings()
    return {
        "disconnects": DatabaseDisconnects(given.get("KEEP_DISCONNECTS_DAYS") or KEEP_DAYS),
        "timeout_seconds": given.get("TIMEOUT_SECONDS") or TIMEOUT_SECONDS,
        # Another process may have connected another account, and the user may have disconnected at the broker: each
        # request asks. Within one, a token is asked for once.
        "cache_scope": current_request,
        "may_use_memory": may_use_memory,
    }


def current_request() -> object | None:
    """Names the request that is being answered. None: there is none, as in a command or a Celery task."""
    found: object | None = getattr(_current, "request", None)
    return found


def _request_starts(**_: Any) -> None:
    _current.request = next(_requests)


def _request_ends(**_: Any) -> None:
    _current.request = None


@contextlib.contextmanager
def request_scope() -> Generator[None, None, None]:
    """For a view. Under ASGI, Django before 6.0 sends its signals in a copy of the context, so what they set is
    lost."""
    if current_request() is not None:
        yield
        return
    _request_starts()
    try:
        yield
    finally:
        _request_ends()


request_started.connect(_request_starts, dispatch_uid="token_broker.request_starts")
request_finished.connect(_request_ends, dispatch_uid="token_broker.request_ends")


def use_client(other: Client) -> AbstractContextManager[Client]:
    """Replaces the client during a test. For a ``FakeBroker``, see ``use_fake``."""
    return _replace(other)


def use_fake(broker: FakeBroker) -> AbstractContextManager[FakeBroker]:
    """Uses a fake broker during a test, with the other settings of TOKEN_BROKER: ``with use_fake(FakeBroker())``. It
    stays if the test changes them with ``override_settings``."""
    return _replace(broker)


@contextlib.contextmanager
def _replace(other: R) -> Generator[R, None, None]:
    global _client, _replaced_by, _status_breaker
    before = (_client, _replaced_by, _status_breaker)
    _client, _replaced_by, _status_breaker = None, other, Breaker(time.monotonic)
    try:
        yield other
    finally:
        _client, _replaced_by, _status_breaker = before


def _forget_client(*, setting: str, **_: Any) -> None:
    global _client, _status_breaker
    if setting == "TOKEN_BROKER":
        _client = _status_breaker = None


setting_changed.connect(_forget_client)
