"""Views and tokens under ASGI."""

import asyncio

import pytest
from django.http import JsonResponse
from django.test import AsyncClient, override_settings
from django.urls import path

from token_broker_client.django import tokens
from token_broker_client.django.decorators import microsoft_required


@microsoft_required
async def asynchronous(request):
    user = await request.auser()
    return JsonResponse({"tokens": [await tokens.aget_access_token(user) for _ in range(2)]})


@microsoft_required
def synchronous(request):
    return JsonResponse({"tokens": [tokens.get_access_token(request.user) for _ in range(2)]})


urlpatterns = [path("asynchronous", asynchronous), path("synchronous", synchronous)]


@pytest.mark.parametrize("kind", ["asynchronous", "synchronous"])
def test_a_request_asks_for_a_token_once_and_the_next_request_asks_again(user, fake, kind):
    fake.connect(user.username)

    async def visit():
        browser = AsyncClient()
        await browser.aforce_login(user)
        return [(await browser.get(f"/{kind}")).status_code for _ in range(2)]

    with override_settings(ROOT_URLCONF="test_django_async"):
        assert asyncio.run(visit()) == [200, 200]
    assert fake.requests.count(f"GET /tokens/{user.username}") == 2
