"""Transports for signed requests. A transport sends exactly the given bytes, once, and follows no redirect. It knows
nothing of signatures."""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Iterable
from typing import Any, Protocol

from .messages import Request, Response, split_origin

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""The broker's largest answer is a page of 500 integrations, which is far smaller."""


class TransportError(Exception):
    """There was no complete answer in time. The message names the kind of failure and contains no address."""


class Transport(Protocol):
    def send(self, request: Request, timeout_seconds: float) -> Response:
        """Sends once. ``timeout_seconds`` is for connecting and for each read, so an answer that arrives slowly may
        take longer. Raises TransportError, also for an answer larger than MAX_ANSWER_BYTES."""


class StandardTransport:
    """Uses only the standard library, with a new connection for each request. ``context``: for a private certificate
    authority."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context

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
            raise TransportError(type(error).__name__) from None
        finally:
            connection.close()


class RequestsTransport:
    """Uses a ``requests.Session``, which keeps connections open. It must not retry: it would send a nonce twice."""

    def __init__(self, session: Any | None = None) -> None:
        import requests

        self._requests = requests
        self._own = session is None
        self._session = session or requests.Session()
        self._process = os.getpid()

    def send(self, request: Request, timeout_seconds: float) -> Response:
        if self._own and self._process != os.getpid():
            # After a fork, parent and child must not use the same connections.
            self._session, self._process = self._requests.Session(), os.getpid()
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
            raise TransportError(type(error).__name__) from None


class HttpxTransport:
    """Uses an ``httpx.Client``, which keeps connections open. It must not retry: it would send a nonce twice."""

    def __init__(self, client: Any | None = None) -> None:
        import httpx

        self._httpx = httpx
        self._own = client is None
        self._client = client or httpx.Client()
        self._process = os.getpid()

    def send(self, request: Request, timeout_seconds: float) -> Response:
        if self._own and self._process != os.getpid():
            # After a fork, parent and child must not use the same connections.
            self._client, self._process = self._httpx.Client(), os.getpid()
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
            raise TransportError(type(error).__name__) from None


def _collect(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        _check_size(len(body))
    return bytes(body)


def _check_size(size: int) -> None:
    if size > MAX_ANSWER_BYTES:
        raise TransportError("the answer is too large")
