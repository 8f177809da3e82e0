"""How a signed request travels. Each sends exactly the bytes it is given, once, follows nothing, and knows nothing of signatures."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterable
from typing import Any, Protocol

from .messages import Request, Response, split_origin

MOST = 16 * 1024 * 1024
"""Bytes an answer has at most; the broker's largest, a page of five hundred integrations, stays far below."""


class NoAnswer(Exception):
    """Nothing came back, or not in time. The message is the kind of failure, without addresses."""


class Transport(Protocol):
    def send(self, request: Request, timeout: float) -> Response:
        """``timeout`` in seconds, for connecting and for each read: an answer that trickles in may take longer. Raises NoAnswer, also for
        an answer of more than MOST bytes."""


class StandardTransport:
    """The standard library alone: a connection for each request. ``context`` names a private certificate authority."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context

    def send(self, request: Request, timeout: float) -> Response:
        scheme, host = split_origin(request.address)
        connection: http.client.HTTPConnection
        if scheme == "https":
            connection = http.client.HTTPSConnection(host, timeout=timeout, context=self._context)
        else:
            connection = http.client.HTTPConnection(host, timeout=timeout)
        try:
            connection.request(
                request.method,
                request.target,
                body=request.body,
                headers={"host": request.authority, **dict(request.headers)},
            )
            answer = connection.getresponse()
            _check_size(answer.length or 0)
            # With an amount, http.client would not notice an answer that was cut off before its stated length.
            body = answer.read() if answer.length is not None else answer.read(MOST + 1)
            _check_size(len(body))
            return Response(answer.status, answer.getheaders(), body)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(type(error).__name__) from None
        finally:
            connection.close()


class RequestsTransport:
    """Over a ``requests.Session``, which keeps connections. Give it no retries of its own: it would send a nonce twice."""

    def __init__(self, session: Any | None = None) -> None:
        import requests

        self._requests = requests
        self._session = session or requests.Session()

    def send(self, request: Request, timeout: float) -> Response:
        headers = {"host": request.authority, "accept-encoding": "identity", **dict(request.headers)}
        # Not through the session's own preparing: it could add credentials of a .netrc.
        prepared = self._requests.Request(request.method, request.url, headers=headers, data=request.body).prepare()
        if prepared.path_url != request.target:
            raise ValueError("this request target cannot be sent as it was signed")
        try:
            with self._session.send(prepared, timeout=timeout, allow_redirects=False, stream=True) as answer:
                return Response(
                    answer.status_code, list(answer.raw.headers.items()), _collect(answer.iter_content(65536))
                )
        except self._requests.RequestException as error:
            raise NoAnswer(type(error).__name__) from None


class HttpxTransport:
    """Over an ``httpx.Client``, which keeps connections. Give it no retries of its own: it would send a nonce twice."""

    def __init__(self, client: Any | None = None) -> None:
        import httpx

        self._httpx = httpx
        self._client = client or httpx.Client()

    def send(self, request: Request, timeout: float) -> Response:
        headers = {"host": request.authority, "accept-encoding": "identity", **dict(request.headers)}
        patience = {"timeout": self._httpx.Timeout(timeout).as_dict()}
        outgoing = self._httpx.Request(
            request.method, request.url, headers=headers, content=request.body, extensions=patience
        )
        if outgoing.url.raw_path.decode("ascii") != request.target:
            raise ValueError("this request target cannot be sent as it was signed")
        try:
            answer = self._client.send(outgoing, auth=None, follow_redirects=False, stream=True)
            try:
                return Response(answer.status_code, answer.headers.multi_items(), _collect(answer.iter_bytes()))
            finally:
                answer.close()
        except self._httpx.HTTPError as error:
            raise NoAnswer(type(error).__name__) from None


def _collect(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        _check_size(len(body))
    return bytes(body)


def _check_size(size: int) -> None:
    if size > MOST:
        raise NoAnswer("the answer is too large")
