"""Signs requests and verifies answers by the profile ``token-broker/1`` (RFC 9421). The broker's OpenAPI document
describes the profile."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from .keys import SigningKey, VerificationKey
from .messages import (
    Line,
    Request,
    Response,
    byte_sequence,
    content_digest,
    digest_matches,
    headers_by_name,
    request_component,
    signature_base,
)
from .structured_fields import Component, SignatureInput, byte_member, signature_input

REQUEST_TAG = "token-broker/1"
RESPONSE_TAG = "token-broker-response/1"
CONTEXT_HEADER = "broker-context"
"""What a request is for, in the broker's audit log. The signature covers it."""
LIFETIME_SECONDS = 30
"""How long the signature of a request is valid. The broker accepts at most 60 seconds."""
MAX_CLOCK_DIFFERENCE_SECONDS = 60
"""An answer may be signed this long before or after now."""
_MAX_FIELD = 4096
_TARGETS = ({"@method", "@authority", "@path", "@query"}, {"@method", "@target-uri"})


def sign_request(request: Request, key: SigningKey, now: float, nonce: str | None = None) -> Request:
    """Adds Content-Digest, Signature-Input and Signature. Sign each attempt: a nonce is never used twice. ``now``:
    seconds since the epoch."""
    headers = list(request.headers)
    names = ["@method", "@authority", "@path", "@query"]
    if any(name == CONTEXT_HEADER for name, _ in headers):
        names.append(CONTEXT_HEADER)
    if request.body is not None:
        headers.append(("content-digest", content_digest(request.body)))
        names += ["content-digest", "content-type"]
    fields = headers_by_name(headers)
    lines: list[Line] = []
    for name in names:
        value = request_component(request, fields, name)
        if value is None:
            raise ValueError(f"the request has no {name} to sign")
        lines.append((f'"{name}"', value))
    created = int(now)
    params = (
        f"({' '.join(identifier for identifier, _ in lines)});created={created};expires={created + LIFETIME_SECONDS}"
        f';nonce="{nonce or secrets.token_urlsafe(16)}";keyid="{key.key_id}";tag="{REQUEST_TAG}"'
    )
    signature = key.sign(signature_base(lines, params))
    headers += [("signature-input", f"sig1={params}"), ("signature", f"sig1={byte_sequence(signature)}")]
    return replace(request, headers=tuple(headers))


@dataclass(frozen=True)
class Verified:
    created: int
    """The broker's clock, in seconds since the epoch."""


@dataclass(frozen=True)
class VerificationFailed:
    reason: str
    created: int | None = None
    """Only for ``clock_skew``: the signature is right, and this is the broker's clock."""


def verify_response(
    response: Response, request: Request, key: VerificationKey, now: float
) -> Verified | VerificationFailed:
    """Whether the broker signed this answer recently, for this request with its nonce. ``now``: seconds since the
    epoch."""
    fields = headers_by_name(response.headers)
    inputs, signatures = fields.get("signature-input", []), fields.get("signature", [])
    if not inputs or not signatures:
        return VerificationFailed("unsigned")
    if len(inputs) > 1 or len(signatures) > 1 or len(inputs[0]) > _MAX_FIELD or len(signatures[0]) > _MAX_FIELD:
        return VerificationFailed("malformed_signature")
    given, member = signature_input(inputs[0]), byte_member(signatures[0])
    if given is None or member is None or member[0] != given.label:
        return VerificationFailed("malformed_signature")
    created = given.parameters.get("created")
    if (
        set(given.parameters) != {"created", "keyid", "tag"}
        or isinstance(created, bool)
        or not isinstance(created, int)
    ):
        return VerificationFailed("parameter_invalid")
    if given.parameters["tag"] != RESPONSE_TAG:
        return VerificationFailed("wrong_tag")
    if given.parameters["keyid"] != key.key_id:
        return VerificationFailed("wrong_key")
    lines = _resolve(given, response, fields, request)
    if isinstance(lines, str):
        return VerificationFailed(lines)
    try:
        base = signature_base(lines, given.value)
    except UnicodeEncodeError:
        return VerificationFailed("component_unresolvable")
    if not key.verify(base, member[1]):
        return VerificationFailed("wrong_signature")
    if not digest_matches(fields.get("content-digest", []), response.body):
        return VerificationFailed("digest_mismatch")
    return (
        Verified(created)
        if abs(now - created) <= MAX_CLOCK_DIFFERENCE_SECONDS
        else VerificationFailed("clock_skew", created)
    )


def _resolve(
    given: SignatureInput, response: Response, fields: dict[str, list[str]], request: Request
) -> list[Line] | str:
    request_fields = headers_by_name(request.headers)
    seen: set[str] = set()
    lines: list[Line] = []
    for component in given.components:
        of_request = component.parameters.get("req") is True
        if len(component.parameters) != int(of_request) or component.text in seen:
            return "component_not_allowed"
        value = (
            request_component(request, request_fields, component.name)
            if of_request
            else _response_component(component, response, fields)
        )
        if value is None:
            return "component_unresolvable"
        seen.add(component.text)
        lines.append((component.text, value))
    needed = {'"@status"', '"content-digest"', '"signature-input";req'}
    if "content-type" in fields:
        needed.add('"content-type"')
    covers_target = any(all(f'"{name}";req' in seen for name in names) for names in _TARGETS)
    return lines if covers_target and needed <= seen else "component_missing"


def _response_component(component: Component, response: Response, fields: dict[str, list[str]]) -> str | None:
    if component.name == "@status":
        return str(response.status)
    if component.name.startswith("@") or component.name not in fields:
        return None
    return ", ".join(fields[component.name])
