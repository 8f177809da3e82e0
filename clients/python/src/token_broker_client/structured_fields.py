"""The part of structured fields (RFC 9651) that the profile needs, in canonical form only: one space between items, no
escapes, no decimals, no optional white space. So two different texts never mean the same (RFC 9421 section 7.5.3)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

BareItem = str | int | bool

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_STRING = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]*)"')
_INTEGER = re.compile(r"(?:0|[1-9][0-9]{0,14})(?![0-9.])")
_BYTES = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):")


@dataclass(frozen=True)
class Component:
    name: str
    parameters: dict[str, BareItem]
    text: str


@dataclass(frozen=True)
class SignatureInput:
    label: str
    value: str
    """The member's raw text after ``label=``."""
    components: list[Component]
    parameters: dict[str, BareItem]


def signature_input(text: str) -> SignatureInput | None:
    """Parses a Signature-Input field with exactly one member. None: it is anything else."""
    key = _KEY.match(text)
    if key is None or not text.startswith("=(", key.end()):
        return None
    at = key.end() + 2
    components: list[Component] = []
    while not text.startswith(")", at):
        if components:
            if not text.startswith(" ", at):
                return None
            at += 1
        name = _STRING.match(text, at)
        if name is None:
            return None
        scanned = _parameters(text, name.end())
        if scanned is None:
            return None
        components.append(Component(name.group(1), scanned[0], text[at : scanned[1]]))
        at = scanned[1]
    scanned = _parameters(text, at + 1)
    if scanned is None or scanned[1] != len(text):
        return None
    return SignatureInput(key.group(), text[key.end() + 1 :], components, scanned[0])


def _parameters(text: str, at: int) -> tuple[dict[str, BareItem], int] | None:
    found: dict[str, BareItem] = {}
    while text.startswith(";", at):
        key = _KEY.match(text, at + 1)
        if key is None or key.group() in found:
            return None
        at = key.end()
        value: BareItem = True
        if text.startswith("=", at):
            string, integer = _STRING.match(text, at + 1), _INTEGER.match(text, at + 1)
            if string is not None:
                value, at = string.group(1), string.end()
            elif integer is not None:
                value, at = int(integer.group()), integer.end()
            else:
                return None
        found[key.group()] = value
    return found, at


def byte_member(text: str) -> tuple[str, bytes] | None:
    """Parses ``label=:base64:``. None: malformed, or the base64 is not canonical."""
    match = _BYTES.fullmatch(text)
    if match is None:
        return None
    try:
        raw = base64.b64decode(match.group(2), validate=True)
    except (binascii.Error, ValueError):
        return None
    return (match.group(1), raw) if base64.b64encode(raw).decode() == match.group(2) else None


def byte_members(text: str) -> dict[str, bytes] | None:
    """Parses a dictionary of byte sequences. None: malformed, or a key is repeated."""
    members: dict[str, bytes] = {}
    for part in text.split(", "):
        member = byte_member(part)
        if member is None or member[0] in members:
            return None
        members[member[0]] = member[1]
    return members
