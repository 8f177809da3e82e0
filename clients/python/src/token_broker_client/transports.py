"""Transports for signed requests. A transport sends exactly the given bytes, once, and follows no redirect. It knows
nothing of signatures."""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, TypeVar

from .messages import Request, Response, split_origin

if TYPE_CHECKING:
    import httpx
    import requests

E = TypeVar("E", bound=BaseException)

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""The broker's largest answer is a page of 500 integrations, which is far smaller."""


class TransportError(Exception):
    """There was no complete answer in time. The message names the kind of failure and contains no address.
    ``is_timeout``: the other side was silent, so a call of another process would wait too."""

    def __init__(self, message: str, *, is_timeout: bool = False) -> None:
        super().__init__(message)
        self.is_timeout = is_timeout

    @classmethod
    def of(cls, error: BaseException) -> TransportError:
        """For an exception of an HTTP library, which may wrap the one that says why."""
        failed = _find(error, ssl.SSLCertVerificationError)
        if failed is None:
            return cls(type(error).__name__, is_timeout=_find(error, TimeoutError) is not None)
        return cls(_CERTIFICATE_PROBLEMS.get(failed.verify_code, CERTIFICATE_NOT_TRUSTED))


CERTIFICATE_NOT_TRUSTED = "certificate_not_trusted"
CERTIFICATE_NAME_WRONG = "certificate_name_wrong"
CERTIFICATE_EXPIRED = "certificate_expired"
# X509_V_ERR_… of OpenSSL. Others mean that no trusted authority signed the certificate.
_CERTIFICATE_PROBLEMS = {10: CERTIFICATE_EXPIRED, 62: CERTIFICATE_NAME_WRONG, 64: CERTIFICATE_NAME_WRONG}


def _find(error: BaseException, kind: type[E]) -> E | None:
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if isinstance(found, kind):
            return found
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            # urllib3 keeps it in `reason`.
            waiting += [found.__cause__, found.__context__, getattr(found, "reason", None), *found.args]
    return None


def _context(ca_file: str | None) -> ssl.SSLContext | None:
    return None if ca_file is None else ssl.create_default_context(cafile=ca_file)


class Transport(Protocol):
    def send(self, request: Request, timeout_seconds: float) -> Response:
        """Sends once. ``timeout_seconds`` is for connecting and for each read, so an answer that arrives slowly may
        take longer. Raises TransportError, also for an answer larger than MAX_ANSWER_BYTES."""
        ...


class StandardTransport:
    """Uses only the standard library, with a new connection for each request. ``context``, or ``ca_file`` (PEM): for a
    private certificate authority."""

    def __init__(self, context: ssl.SSLContext | None = None, *, ca_file: str | None = None) -> None:
        self._context = context or _context(ca_file)

    def send(self, request: Request, timeout_seconds: float) -> Response:
        scheme, host = split_origin(request.address)
        connection: http.client.HTTPConnection
        if scheme == "https":
            connection = http.client.HTTPSConnection(host, timeout=timeout_seconds, context=self._context)
        else:
            connection = http.client.HTTPConnection(host, timeout=timeout_seconds)
        try:
            connection.request(
                request.method,
                request.target,
                body=request.body,
                headers={"host": request.authority, **dict(request.headers)},
            )
            answer = connection.getresponse()
            _check_size(answer.length or 0)
            # read() with an amount would not notice an answer that ends before its stated length.
            body = answer.read() if answer.length is not None else answer.read(MAX_ANSWER_BYTES + 1)
            _check_size(len(body))
            return Response(answer.status, answer.getheaders(), body)
        except (OSError, http.client.HTTPException) as error:
            raise TransportError.of(error) from None
        finally:
            connection.close()


class RequestsTransport:
    """Uses a ``requests.Session``, which keeps connections open. It must not retry: it would send a nonce twice.
    ``ca_file`` (PEM): a private certificate authority, for a session that this class makes."""

    def __init__(self, session: requests.Session | None = None, *, ca_file: str | None = None) -> None:
        import requests

        self._requests = requests
        self._own, self._ca_file = session is None, ca_file
        self._session = session or self._make()
        self._process = os.getpid()

    def _make(self) -> requests.Session:
        session = self._requests.Session()
        if self._ca_file is not None:
            session.verify = self._ca_file
        return session

    def send(self, request: Request, timeout_seconds: float) -> Response:
        if self._own and self._process != os.getpid():
            # After a fork, parent and child must not use the same connections.
            self._session, self._process = self._make(), os.getpid()
        headers = {"host": request.authority, "accept-encoding": "identity", **dict(request.headers)}
        # Session.prepare_request could add credentials from a .netrc.
        prepared = self._requests.Request(request.method, request.url, headers=headers, data=request.body).prepare()
        if prepared.path_url != request.target:
            raise ValueError("the HTTP library would change this request target, which is signed")
        try:
            with self._session.send(prepared, timeout=timeout_seconds, allow_redirects=False, stream=True) as answer:
                return Response(
                    answer.status_code, list(answer.raw.headers.items()), _collect(answer.iter_content(65536))
                )
        except self._requests.RequestException as error:
            raise TransportError.of(error) from None


class HttpxTransport:
    """Uses an ``httpx.Client``, which keeps connections open. It must not retry: it would send a nonce twice.
    ``ca_file`` (PEM): a private certificate authority, for a client that this class makes."""

    def __init__(self, client: httpx.Client | None = None, *, ca_file: str | None = None) -> None:
        import httpx

        self._httpx = httpx
        self._own, self._ca_file = client is None, ca_file
        self._client = client or self._make()
        self._process = os.getpid()

    def _make(self) -> httpx.Client:
        return self._httpx.Client(verify=_context(self._ca_file) or True)

    def send(self, request: Request, timeout_seconds: float) -> Response:
        if self._own and self._process != os.getpid():
            # After a fork, parent and child must not use the same connections.
            self._client, self._process = self._make(), os.getpid()
        headers = {"host": request.authority, "accept-encoding": "identity", **dict(request.headers)}
        extensions = {"timeout": self._httpx.Timeout(timeout_seconds).as_dict()}
        outgoing = self._httpx.Request(
            request.method, request.url, headers=headers, content=request.body, extensions=extensions
        )
        if outgoing.url.raw_path.decode("ascii") != request.target:
            raise ValueError("the HTTP library would change this request target, which is signed")
        try:
            answer = self._client.send(outgoing, auth=None, follow_redirects=False, stream=True)
            try:
                return Response(answer.status_code, answer.headers.multi_items(), _collect(answer.iter_bytes()))
            finally:
                answer.close()
        except self._httpx.HTTPError as error:
            raise TransportError.of(error) from None


def _collect(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        _check_size(len(body))
    return bytes(body)


def _check_size(size: int) -> None:
    if size > MAX_ANSWER_BYTES:
        raise TransportError("the answer is too large")
