"""Credentials for Microsoft's SDKs (msgraph-sdk and every other that takes an ``azure.core`` credential). Needs
``pip install token-broker-client[azure]``.

client = GraphServiceClient(AsyncBrokerCredential(broker, "42"), ["https://graph.microsoft.com/.default"])
me = await client.me.get()
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

from .client import Client
from .tokens import CACHE_SECONDS, Token

GRAPH_HOSTS = frozenset(
    {
        "graph.microsoft.com",
        "graph.microsoft.us",
        "dod-graph.microsoft.us",
        "microsoftgraph.chinacloudapi.cn",
        # Its id, which Microsoft's SDKs accept in place of the address.
        "00000003-0000-0000-c000-000000000000",
    }
)


class _Tokens:
    def __init__(self, client: Client, user_id: str, context: str | None, hosts: frozenset[str]) -> None:
        self._client, self._user_id, self._context, self._hosts = client, user_id, context, hosts
        # The newest token that was handed out: a claims challenge is about it.
        self._last: Token | None = None

    def get(self, scopes: tuple[str, ...], claims: str | None) -> Token:
        for scope in scopes:
            self._check(scope)
        if claims is None:
            token = self._client.get_token(self._user_id, context=self._context)
        else:
            refused = self._last or self._client.get_token(self._user_id, context=self._context)
            token = self._client.refresh(refused, claims=claims, context=self._context)
        self._last = token
        return token

    def _check(self, scope: str) -> None:
        # "User.Read" is a permission of Graph.
        resource = urlsplit(scope).hostname if "://" in scope else (scope.split("/", 1)[0] if "/" in scope else None)
        if resource is not None and resource not in self._hosts:
            raise ValueError(f"The broker has tokens for Microsoft Graph only, not for {resource}.")


class _OfUser:
    def __init__(
        self,
        client: Client,
        user_id: str,
        *,
        context: str | None = None,
        hosts: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens, self._clock = _Tokens(client, user_id, context, GRAPH_HOSTS | hosts), clock


class BrokerCredential(_OfUser):
    """A credential of one user: ``TokenCredential`` and ``SupportsTokenInfo`` of ``azure.core``.

    ``context``: what the tokens are for (``Client.get_token``). ``hosts``: resources that may get them, besides those
    of Microsoft Graph; no other does, because a token of the user must not be sent to another service. ``claims`` is
    passed on to the broker as in ``Client.refresh``. ``tenant_id`` and ``enable_cae`` are ignored: the connected
    account decides on the tenant, and the broker's configuration on continuous access evaluation. Raises ``ValueError``
    for another resource, and ``BrokerError`` unchanged through the SDK.
    """

    def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        token = self._tokens.get(scopes, claims)
        return AccessToken(token.access_token, int(self._clock()) + token.expires_in)

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        return _info(self._tokens.get(scopes, (options or {}).get("claims")), self._clock())

    def close(self) -> None:
        """The client stays open: others may use it."""

    def __enter__(self) -> BrokerCredential:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncBrokerCredential(_OfUser):
    """As ``BrokerCredential``, for asynchronous SDKs (``AsyncTokenCredential``, ``AsyncSupportsTokenInfo``). The calls
    to the broker run in a thread."""

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        token = await asyncio.to_thread(self._tokens.get, scopes, claims)
        return AccessToken(token.access_token, int(self._clock()) + token.expires_in)

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        token = await asyncio.to_thread(self._tokens.get, scopes, (options or {}).get("claims"))
        return _info(token, self._clock())

    async def close(self) -> None:
        """The client stays open: others may use it."""

    async def __aenter__(self) -> AsyncBrokerCredential:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.close()


def _info(token: Token, now: float) -> AccessTokenInfo:
    # SDKs keep a token until `refresh_on`. After a minute they ask again, so that a disconnect or a freeze counts, and
    # the broker's audit log knows of the use.
    return AccessTokenInfo(
        token.access_token,
        int(now) + token.expires_in,
        refresh_on=int(now) + min(CACHE_SECONDS, token.expires_in),
    )
