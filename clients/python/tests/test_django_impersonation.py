"""Staff who act for a user do not reach the user's Microsoft account, and do not connect their own to the user."""

import asyncio

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, modify_settings, override_settings
from django.test import Client as Browser
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import override
from django.views import View

from token_broker_client.django import conf, tokens
from token_broker_client.django.decorators import microsoft_required

pytestmark = pytest.mark.usefixtures("fake")


class Acting(MiddlewareMixin):
    """What django-hijack and django-impersonate set."""

    attribute = ""

    def process_request(self, request):
        setattr(request.user, self.attribute, True)


class Hijacked(Acting):
    attribute = "is_hijacked"


class Impersonated(Acting):
    attribute = "is_impersonate"


MIDDLEWARE = "token_broker_client.django.middleware.NoImpersonationMiddleware"
ADDRESSES = ("/microsoft/connect", "/microsoft/manage", "/microsoft/connected", "/documents")


@pytest.mark.parametrize("acting", ["Hijacked", "Impersonated"])
def test_staff_who_act_for_a_user_are_refused(browser, user, fake, acting):
    fake.connect(user.username)
    with modify_settings(MIDDLEWARE={"append": [f"{__name__}.{acting}", MIDDLEWARE]}):
        for address in ADDRESSES:
            assert browser.get(address).status_code == 403, address
        assert browser.post("/microsoft/connect").status_code == 403
        assert browser.get("/").status_code == 200
    assert fake.requests == [request for request in fake.requests if request.startswith("GET /integrations/")]


def test_a_project_can_say_itself_who_acts_for_another(browser, user, fake):
    fake.connect(user.username)
    with modify_settings(MIDDLEWARE={"append": [MIDDLEWARE]}):
        assert browser.get("/microsoft/connect").status_code == 200
        given = {**conf.get_settings(), "IS_IMPERSONATED_FUNCTION": lambda request: "acting" in request.GET}
        with override_settings(TOKEN_BROKER=given):
            assert browser.get("/microsoft/connect").status_code == 200
            assert browser.get("/microsoft/connect?acting").status_code == 403


class Files(View):
    @method_decorator(microsoft_required)
    def get(self, request):
        return HttpResponse("the method's body")


def undecorated(request):
    return HttpResponse(tokens.get_token(request.user).access_token)


def undecorated_with_token(request):
    return HttpResponse(tokens.with_token(request.user, lambda token: token, lambda error: False))


def undecorated_access_token(request):
    return HttpResponse(tokens.get_access_token(request.user))


def streaming(request):
    return StreamingHttpResponse(tokens.get_access_token(request.user) for _ in range(1))


async def aundecorated(request):
    async def work(token):
        return token

    return HttpResponse(await tokens.awith_token(request.user, work, lambda error: False))


@microsoft_required
async def adecorated(request):
    return HttpResponse("the coroutine's body")


@microsoft_required(json=True)
def for_scripts(request):
    return HttpResponse("the body")


VIEWS = (Files.as_view(), undecorated, undecorated_with_token, undecorated_access_token, adecorated, for_scripts)


class Pages:
    urlpatterns = [
        *(path(str(number), view) for number, view in enumerate((*VIEWS, aundecorated))),
        path("streaming", streaming),
        path("files", Files.as_view()),
        path("for-scripts", for_scripts),
        path("", include("megdocs.urls")),
    ]


@pytest.fixture()
def acting():
    with (
        override_settings(ROOT_URLCONF=Pages),
        modify_settings(MIDDLEWARE={"append": [f"{__name__}.Hijacked", MIDDLEWARE]}),
    ):
        yield


@pytest.mark.parametrize("number", range(len(VIEWS)))
def test_no_view_gets_a_token_however_it_is_written(browser, user, fake, acting, number):
    fake.connect(user.username)
    assert browser.get(f"/{number}").status_code == 403
    old = {**conf.get_settings(), "READ_FROM": "old", "OLD_TOKEN_FUNCTION": lambda user: "old-token"}
    with override_settings(TOKEN_BROKER=old):
        assert browser.get("/3").status_code == 403
    assert fake.requests == []


def test_a_streaming_answer_and_a_coroutine_get_no_token(browser, user, fake, acting):
    fake.connect(user.username)
    with pytest.raises(PermissionDenied):
        browser.get("/streaming").getvalue()

    async def ask():
        client = AsyncClient()
        await client.aforce_login(user)
        return [(await client.get(f"/{number}")).status_code for number in range(len(VIEWS) + 1)]

    assert asyncio.run(ask()) == [403] * (len(VIEWS) + 1)
    assert fake.requests == []


def test_what_comes_after_the_request_gets_tokens(browser, user, fake, acting):
    fake.connect(user.username)
    assert browser.get("/1").status_code == 403
    assert tokens.get_access_token(user).startswith("fake-token-"), "a command"
    with modify_settings(MIDDLEWARE={"remove": [f"{__name__}.Hijacked"]}):
        other = Browser()
        other.force_login(user)
        assert other.get("/1").status_code == 200


def test_the_decorator_says_why_on_a_page_and_to_a_script(browser, user, acting):
    page = browser.get("/files")
    assert page.status_code == 403 and "You are acting for another user" in page.content.decode()
    with override("de"):
        assert "eine andere Person" in browser.get("/files", headers={"accept-language": "de"}).content.decode()
    answer = browser.get("/for-scripts")
    assert answer["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["code"]) == (403, "impersonated")
