"""Claims challenges of Microsoft Graph (continuous access evaluation): found in the exception of any HTTP library, and
passed on to the broker."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

_PART = re.compile(
    r"""(?P<name>[A-Za-z0-9_-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))"""
    r"""|(?P<scheme>[A-Za-z0-9_-]+)"""
)


def claims_of(error: BaseException) -> str | None:
    """The claims challenge of an exception that Graph's 401 caused: ``claims`` of ``WWW-Authenticate``, as they came.
    None: there is none.

    Knows the exceptions of requests, httpx, urllib, aiohttp and Microsoft's SDK for Graph: an attribute ``response``
    with ``headers``, or ``headers``, or ``response_headers``.
    """
    response = getattr(error, "response", None)
    for headers in (getattr(response, "headers", None), *(getattr(error, name, None) for name in _HEADERS)):
        for value in _challenges(headers):
            claims = parse_challenge(value)
            if claims is not None:
                return claims
    return None


_HEADERS = ("headers", "response_headers")


def parse_challenge(www_authenticate: str) -> str | None:
    """``claims`` of the scheme ``Bearer`` in a header ``WWW-Authenticate``, which may have several schemes. The
    parameters may come in any order (RFC 9110 section 11.6.1), and ``error`` is not always ``insufficient_claims``."""
    scheme = ""
    for part in _PART.finditer(www_authenticate):
        if part["scheme"]:
            scheme = part["scheme"].lower()
        elif scheme == "bearer" and part["name"].lower() == "claims":
            value: str = part["plain"] if part["quoted"] is None else re.sub(r"\\(.)", r"\1", part["quoted"])
            return value or None
    return None


def _challenges(headers: Any) -> Iterator[str]:
    if not hasattr(headers, "items"):
        return
    items: Iterable[tuple[Any, Any]] = headers.items()
    for name, value in items:
        if str(name).lower() != "www-authenticate":
            continue
        # A list where the library keeps several headers of one name.
        several = cast("Iterable[object]", value) if isinstance(value, (list, tuple, set)) else [value]
        yield from (str(one) for one in several)


class Refusals:
    """Graph's refusals within one ``with_token``: the first may be repeated, and the first with a challenge."""

    def __init__(self, is_unauthorized: Callable[[Exception], bool]) -> None:
        self._is_unauthorized = is_unauthorized
        self._seen = False
        self.claims: str | None = None

    def may_repeat(self, error: Exception) -> bool:
        if not self._is_unauthorized(error):
            return False
        claims = claims_of(error)
        repeats = not self._seen or (self.claims is None and claims is not None)
        self._seen, self.claims = True, claims
        return repeats
