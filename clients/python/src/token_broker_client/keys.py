"""Keys of the profile ``token-broker/1`` (RFC 9421 sections 3.3.3 and 3.3.6). The repr of a key shows only its id."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Any, Protocol

_KEY_ID = re.compile(r"[A-Za-z0-9._:/-]{1,64}")


class VerificationKey(Protocol):
    @property
    def key_id(self) -> str: ...

    def verify(self, base: bytes, signature: bytes) -> bool: ...


class SigningKey(Protocol):
    @property
    def key_id(self) -> str: ...

    def sign(self, base: bytes) -> bytes: ...


def _key_id(value: str) -> str:
    if not _KEY_ID.fullmatch(value):
        raise ValueError("a key id has 1 to 64 characters of A-Z a-z 0-9 . _ : / -")
    return value


def _decode(text: str, what: str) -> bytes:
    """Decodes canonical base64url without padding. The error does not contain the text."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != text.encode("utf-8", "replace"):
        raise ValueError(f"the {what} is not in the form that `token-broker keygen` prints (base64url)") from None
    return raw


class HmacKey:
    """A secret that only this caller and the broker know. It signs requests and verifies answers."""

    def __init__(self, key_id: str, secret: str) -> None:
        self.key_id = _key_id(key_id)
        self._secret = _decode(secret, "secret")
        if len(self._secret) < 32:
            raise ValueError("the secret is shorter than 32 bytes")

    def sign(self, base: bytes) -> bytes:
        return hmac.new(self._secret, base, hashlib.sha256).digest()

    def verify(self, base: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.sign(base), signature)

    def __repr__(self) -> str:
        return f"HmacKey({self.key_id!r})"


class Ed25519Key:
    """This caller's private key. An ``Ed25519PublicKey`` verifies the answers. Needs ``cryptography``."""

    def __init__(self, key_id: str, private_key: str) -> None:
        from cryptography.hazmat.primitives.asymmetric import ed25519

        self.key_id = _key_id(key_id)
        seed = _decode(private_key, "private key")
        if len(seed) != 32:
            raise ValueError("the private key is not a 32-byte seed")
        self._key: Any = ed25519.Ed25519PrivateKey.from_private_bytes(seed)

    def sign(self, base: bytes) -> bytes:
        return bytes(self._key.sign(base))

    def __repr__(self) -> str:
        return f"Ed25519Key({self.key_id!r})"


class Ed25519PublicKey:
    """The broker's public key. It verifies the answers to Ed25519 callers. Needs ``cryptography``."""

    def __init__(self, key_id: str, public_key: str) -> None:
        from cryptography.hazmat.primitives.asymmetric import ed25519

        self.key_id = _key_id(key_id)
        self._key: Any = ed25519.Ed25519PublicKey.from_public_bytes(_decode(public_key, "public key"))

    def verify(self, base: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, base)
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"Ed25519PublicKey({self.key_id!r})"
