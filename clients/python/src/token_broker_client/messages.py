"""Requests and answers as plain data, their components and the signature base (RFC 9421 section 2), and Content-Digest
(RFC 9530)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

Headers = Sequence[tuple[str, str]]
Line = tuple[str, str]
"""One line of the signature base: the component identifier as text, and its value."""

_URL = re.compile(r"(https?)://([^/?#@\s]+)(/[^#\s]*)?", re.IGNORECASE)
_TARGET = re.compile(r"/[\x21\x22\x24-\x7e]*")


@dataclass(frozen=True)
class Request:
    """One attempt, exactly as it is sent. ``address``: where to connect. ``authority``: the signed value of Host."""

    method: str
    address: str
    """Origin, such as ``http://10.0.0.1:8081``."""
    authority: str
    scheme: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    @property
    def url(self) -> str:
        return self.address + self.target


@dataclass(frozen=True)
class Response:
    """``headers``: one pair for each field line, as received."""

    status: int
    headers: Headers
    body: bytes


def split_origin(url: str) -> tuple[str, str]:
    """Scheme and host of an origin. The text is split and not normalized, so that the signed value equals the sent
    value."""
    match = _URL.fullmatch(url.rstrip("/"))
    if match is None or match.group(3):
        raise ValueError("expected an origin like https://token-broker.megdocs.svc:8081")
    return match.group(1).lower(), match.group(2)


def normalize_authority(host: str, scheme: str) -> str:
    """Lower case, without the scheme's default port (RFC 9421 section 2.2.3)."""
    lower = host.lower()
    port = ":443" if scheme == "https" else ":80"
    return lower[: -len(port)] if lower.endswith(port) else lower


def check_target(target: str) -> str:
    if not _TARGET.fullmatch(target):
        raise ValueError("the request target is not a path of visible ASCII characters")
    return target


def headers_by_name(headers: Headers) -> dict[str, list[str]]:
    """Field lines by lower-case name, without surrounding white space."""
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name.lower(), []).append(value.strip(" \t"))
    return fields


def request_component(request: Request, fields: dict[str, list[str]], name: str) -> str | None:
    """Value of a component of a request. None: the request has no such component. A name that begins with ``@`` is
    never looked up as a header field (RFC 9421 section 7.5.1)."""
    path, mark, query = request.target.partition("?")
    if name == "@method":
        return request.method
    if name == "@authority":
        return request.authority
    if name == "@path":
        return path or "/"
    if name == "@query":
        return "?" + query if mark else "?"
    if name == "@target-uri":
        return f"{request.scheme}://{request.authority}{request.target}"
    if name.startswith("@") or name not in fields:
        return None
    return ", ".join(fields[name])


def signature_base(lines: Sequence[Line], params: str) -> bytes:
    """RFC 9421 section 2.5: LF between lines, none at the end."""
    return (
        "".join(f"{identifier}: {value}\n" for identifier, value in lines) + f'"@signature-params": {params}'
    ).encode("latin-1")


def byte_sequence(value: bytes) -> str:
    return f":{base64.b64encode(value).decode()}:"


def content_digest(body: bytes) -> str:
    return f"sha-256={byte_sequence(hashlib.sha256(body).digest())}"


def digest_matches(lines: Sequence[str], body: bytes) -> bool:
    """Whether there is one line with at least one sha-256 or sha-512, and each of them is right (RFC 9530 section
    5)."""
    from .structured_fields import byte_members

    members = byte_members(lines[0]) if len(lines) == 1 and len(lines[0]) <= 1024 else None
    if members is None:
        return False
    known = [
        (members[name], algorithm)
        for name, algorithm in (("sha-256", "sha256"), ("sha-512", "sha512"))
        if name in members
    ]
    return bool(known) and all(
        hmac.compare_digest(digest, hashlib.new(algorithm, body).digest()) for digest, algorithm in known
    )
