"""Failures as JSON: a script must not get a redirect, and then a page."""

import asyncio

import pytest
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from django.utils import translation

import token_broker_client as tb
from token_broker_client.django import conf, texts
from token_broker_client.django.decorators import microsoft_required
from token_broker_client.django.failures import wants_json
from token_broker_client.django.tokens import get_access_token

PAGE = "http://testserver/documents"


@microsoft_required
def view(request):
    return HttpResponse(get_access_token(request.user))


def ask(user, view=view, method="get", path="/api/documents", **headers):
    request = getattr(RequestFactory(), method)(path, headers={"accept": "application/json", **headers})
    request.user = user
    found = view(request)
    return asyncio.run(found) if asyncio.iscoroutine(found) else found


def problem(response):
    import json

    assert response["content-type"] == "application/problem+json" and response["cache-control"] == "no-store"
    found = json.loads(response.content)
    assert found["status"] == response.status_code and found["type"].endswith(found["code"])
    return found


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"accept": "*/*"}, False),
        ({"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, False),
        ({"accept": "application/json"}, True),
        ({"accept": "application/problem+json, text/html;q=0.2"}, True),
        ({"accept": "text/html, application/json;q=0.9"}, False),
        ({"accept": "application/json;q=0"}, False),
        ({"accept": "application/json;q=wrong, text/html"}, False),
        ({"accept": "*/*", "sec-fetch-mode": "cors"}, True),
        ({"accept": "*/*", "sec-fetch-mode": "same-origin"}, True),
        ({"accept": "text/html", "sec-fetch-mode": "navigate"}, False),
        ({"accept": "*/*", "x-requested-with": "XMLHttpRequest"}, True),
    ],
)
def test_a_request_of_a_script_is_known(headers, expected):
    assert wants_json(RequestFactory().get("/", headers=headers)) is expected


def test_a_user_who_never_connected_gets_the_address_of_the_connect_page(user, fake):
    found = problem(ask(user, referer=PAGE))
    assert (found["title"], "connect" in found["detail"].lower()) == ("You are not connected to Microsoft", True)
    assert found == {
        "type": "urn:token-broker:problem:not_connected",
        "title": found["title"],
        "status": 409,
        "detail": found["detail"],
        "code": "not_connected",
        "who_acts": "user",
        "action_url": "/microsoft/connect?next=http%3A%2F%2Ftestserver%2Fdocuments",
        "action_text": found["action_text"],
        **({"request_id": found["request_id"]} if "request_id" in found else {}),
    }
    assert "next" not in problem(ask(user, referer="https://evil.example/"))["action_url"]
    assert "next" not in problem(ask(user))["action_url"], "nobody can come back to the address of a script"


def test_who_must_reconnect_reads_why_in_their_language(user, fake):
    fake.connect(user.username)
    fake.require_reconnect(user.username, "access_revoked")
    found = problem(ask(user, method="post", referer=PAGE))
    assert (found["status"], found["code"], found["reason"]) == (409, "reconnect_required", "access_revoked")
    assert found["who_acts"] == "user" and "reason=access_revoked" in found["action_url"]
    with translation.override("de"):
        german = problem(ask(user))
    assert german["title"] != found["title"] and german["action_text"] != found["action_text"]


@pytest.mark.parametrize(
    ("who_acts", "reason", "url"),
    [("tenant_admin", "admin_consent_required", "/microsoft/manage"), ("ops", "registration_unknown", "mailto:")],
)
def test_where_others_must_act_no_connect_is_offered(user, fake, who_acts, reason, url):
    fake.connect(user.username)
    fake.require_reconnect(user.username, reason, who_acts)
    found = problem(ask(user))
    assert found["who_acts"] == who_acts and found["action_url"].startswith(url)


def test_a_broker_that_does_not_answer_is_503_with_retry_after(user, fake, caplog):
    fake.stop()
    response = ask(user)
    found = problem(response)
    assert (found["status"], found["code"]) == (503, "broker_unreachable")
    assert found["retry_after"] == int(response["retry-after"]) and "action_url" not in found
    assert len([line for line in caplog.records if line.name == "token_broker_client"]) == 1


@pytest.mark.parametrize(
    "error", [tb.NotConnected, tb.AccountMismatch, tb.ConnectRefused, tb.ClaimsNotSatisfied, tb.NotFound]
)
def test_no_failure_that_has_words_of_its_own_is_called_a_fault_of_ours(user, fake, error):
    @microsoft_required
    def script(request):
        raise error({}, 409)

    for language in ("en", "de", "es"):
        with translation.override(language):
            assert problem(ask(user, script))["title"] != texts.text("problems.internal_error.title")


def test_paused_says_nothing_of_a_retry_unless_the_broker_does(user, fake):
    fake.connect(user.username)
    fake.freeze(user.username)
    response = ask(user)
    found = problem(response)
    assert (found["status"], found["who_acts"]) == (503, "ops")
    assert "retry_after" not in found and not response.has_header("retry-after")
    fake.fail("broker_misconfigured", 503, who_acts="ops", retry_after=60)
    response = ask(user)
    assert problem(response)["retry_after"] == 60 and response["retry-after"] == "60"


def test_the_argument_decides_and_the_view_may_be_a_coroutine(user, fake):
    html = {"accept": "text/html"}

    @microsoft_required(json=True)
    async def script(request):
        raise tb.NotConnected()

    @microsoft_required(json=False)
    def page(request):
        raise tb.NotConnected()

    assert problem(ask(user, script, **html))["code"] == "not_connected"
    assert ask(user, page).status_code == 302 and ask(user, view, **html).status_code == 302


def test_a_fetch_of_the_example_gets_no_page(browser, fake):
    answer = browser.get("/documents", headers={"sec-fetch-mode": "cors", "accept": "*/*"})
    assert problem(answer)["code"] == "not_connected"
    answer = browser.get("/documents", headers={"sec-fetch-mode": "navigate", "accept": "text/html"})
    assert answer.status_code == 302


def test_after_connecting_the_default_page_comes_if_no_page_is_known(user, fake):
    with override_settings(TOKEN_BROKER={**conf.get_settings(), "AFTER_CONNECT_URL": "/start"}), conf.use_fake(fake):
        assert problem(ask(user))["action_url"] == "/microsoft/connect?next=%2Fstart"
