"""Claims challenges of Graph: found in the exceptions of HTTP libraries, and passed on by ``with_token``."""

import asyncio
import base64
import json
import urllib.error
import urllib.request
from email.message import Message

import httpx
import pytest
import requests

import token_broker_client as tb
from token_broker_client.challenges import claims_of, parse_challenge
from token_broker_client.errors import error_for
from token_broker_client.testing import FakeBroker

from conftest import WORLD, post

CLAIMS = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwgInZhbHVlIjoiMTYzNTUyNzc5MCJ9fX0="
ENDPOINT = 'authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
HEADER = f'Bearer realm="", {ENDPOINT}, error="insufficient_claims", claims="{CLAIMS}"'


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        f'bearer claims="{CLAIMS}", error="invalid_token", error_description="Tenant IP Policy, validate failed."',
        f'Bearer error_description="says \\"claims=x\\"", claims="{CLAIMS}"',
        f'PoP realm="", claims="b3RoZXI=", Bearer realm="", {ENDPOINT}, claims="{CLAIMS}"',
        f"Bearer claims={CLAIMS}",
    ],
)
def test_the_challenge_is_found_in_any_order_and_beside_other_schemes(header):
    assert parse_challenge(header) == CLAIMS


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", 'Bearer realm=""', 'Bearer claims=""', f'PoP claims="{CLAIMS}"', 'Bearer xclaims="a", e="claims"'],
)
def test_other_headers_have_no_challenge(header):
    assert parse_challenge(header) is None


def _exceptions():
    request = httpx.Request("GET", "https://graph.microsoft.com/v1.0/me")
    several = [("www-authenticate", 'PoP realm=""'), ("www-authenticate", HEADER)]
    yield httpx.HTTPStatusError("401", request=request, response=httpx.Response(401, headers=several, request=request))
    response = requests.Response()
    response.headers["WWW-Authenticate"] = HEADER
    yield requests.HTTPError("401", response=response)
    message = Message()
    message["WWW-Authenticate"] = 'PoP realm=""'
    message["WWW-Authenticate"] = HEADER
    yield urllib.error.HTTPError("https://graph.microsoft.com", 401, "Unauthorized", message, None)
    kiota = RuntimeError("kiota's APIError")
    kiota.response_headers = {"www-authenticate": [HEADER]}  # type: ignore[attr-defined]
    yield kiota


def test_the_exceptions_of_http_libraries_are_known():
    for error in _exceptions():
        assert claims_of(error) == CLAIMS, type(error)
    for error in (ValueError("x"), requests.HTTPError("401"), requests.HTTPError("401", response=requests.Response())):
        assert claims_of(error) is None


class Unauthorized(Exception):
    def __init__(self, header):
        super().__init__("Graph answered 401")
        self.headers = {"WWW-Authenticate": header}


def is_unauthorized(error):
    return isinstance(error, Unauthorized)


class Graph:
    """Refuses the first ``refusals`` calls."""

    def __init__(self, refusals=1, header=None):
        self.refusals, self.header, self.tokens = refusals, header or FakeBroker.challenge(), []

    def work(self, token):
        self.tokens.append(token)
        if len(self.tokens) <= self.refusals:
            raise Unauthorized(self.header)
        return "done"

    async def awork(self, token):
        return self.work(token)


@pytest.fixture()
def broker():
    broker = FakeBroker()
    broker.connect("42")
    return broker


def sync_call(client, graph, **options):
    return client.with_token("42", graph.work, is_unauthorized, **options)


def async_call(client, graph, **options):
    return asyncio.run(client.awith_token("42", graph.awork, is_unauthorized, **options))


both = pytest.mark.parametrize("call", [sync_call, async_call])


@both
def test_a_challenge_is_passed_on_and_the_work_is_repeated_once(broker, call):
    graph = Graph()
    assert call(broker.client(), graph, context="document:1") == "done"
    assert broker.claims == [{"nbf": {"essential": True, "value": "1764000000"}}]
    assert len(graph.tokens) == 2 and graph.tokens[0] != graph.tokens[1]
    assert broker.requests == ["GET /tokens/42", "POST /tokens/42/refresh"]


@both
def test_without_a_challenge_a_later_token_is_asked_for(broker, call):
    graph = Graph(header="Bearer")
    assert call(broker.client(), graph) == "done"
    assert broker.claims == [] and len(graph.tokens) == 2


@both
def test_a_second_refusal_is_the_callers(broker, call):
    graph = Graph(refusals=2)
    with pytest.raises(Unauthorized):
        call(broker.client(), graph)
    assert len(graph.tokens) == 2 and len(broker.claims) == 1


@both
def test_a_challenge_that_comes_only_with_the_later_token_is_passed_on_too(broker, call):
    class Late(Graph):
        def work(self, token):
            self.header = FakeBroker.challenge() if self.tokens else "Bearer"
            return super().work(token)

    graph = Late(refusals=2)
    assert call(broker.client(), graph) == "done"
    assert len(graph.tokens) == 3 and len(broker.claims) == 1
    with pytest.raises(Unauthorized):
        call(broker.client(), Late(refusals=9))


@both
def test_another_exception_is_not_touched(broker, call):
    class Broken(Graph):
        def work(self, token):
            raise KeyError("x")

    with pytest.raises(KeyError):
        call(broker.client(), Broken())
    assert broker.requests == ["GET /tokens/42"]


@both
def test_what_the_broker_refuses_is_raised(broker, call):
    broker.leave_unsatisfied("42")
    with pytest.raises(tb.ClaimsNotSatisfied) as refused:
        call(broker.client(), Graph())
    assert refused.value.who_acts == "ops" and not refused.value.user_can_connect and refused.value.status == 409
    broker.unsatisfied.clear()
    client, graph = broker.client(), Graph(refusals=9)
    graph.work = lambda token: (broker.require_reconnect("42"), Graph.work(graph, token))  # type: ignore[method-assign]
    with pytest.raises(tb.ReconnectRequired) as reconnect:
        call(client, graph)
    assert reconnect.value.user_can_connect


def test_a_remembered_token_does_not_answer_a_challenge(broker):
    client = broker.client(cache_seconds=60)
    first = client.get_token("42")
    second = client.refresh(first)
    assert client.refresh(first).generation == second.generation and len(broker.requests) == 2
    client.refresh(first, claims=CLAIMS)
    assert len(broker.requests) == 3


def test_the_fake_broker_takes_base64_and_json_and_nothing_else(broker):
    client = broker.client()
    token = client.get_token("42")
    for claims in (CLAIMS, CLAIMS.rstrip("="), base64.b64decode(CLAIMS).decode()):
        client.refresh(token, claims=claims)
    assert [asked["nbf"]["value"] for asked in broker.claims] == ["1635527790"] * 3
    for wrong in ("?", "{}", base64.b64encode(b"[]").decode()):
        with pytest.raises(tb.InvalidRequest):
            client.refresh(token, claims=wrong)


def _me(token):
    request = urllib.request.Request(f"{WORLD['graph']}/v1.0/me", headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_challenge_of_graph_reaches_microsoft_through_the_broker(client, connected, asynchronous):
    order = {"knob": "cae_challenge", "value": True, "account": "jane@contoso.com", "times": 1}
    post(WORLD["entra"] + "/control/misbehave", order)

    def refused(error):
        return isinstance(error, urllib.error.HTTPError) and error.code == 401

    async def work(token):
        return await asyncio.to_thread(_me, token)

    me = (
        asyncio.run(client.awith_token(connected, work, refused))
        if asynchronous
        else client.with_token(connected, _me, refused)
    )
    assert me["userPrincipalName"] == "jane@contoso.com"
    with urllib.request.urlopen(WORLD["entra"] + "/control/token-requests", timeout=20) as answer:
        sent = json.loads(answer.read())["recent"][-1]
    assert "nbf" in json.loads(sent["values"]["claims"])["access_token"]


def test_claims_that_are_no_challenge_are_refused_in_words(client, connected):
    token = client.get_token(connected)
    with pytest.raises(tb.InvalidRequest) as refused:
        client.refresh(token, claims=base64.b64encode(b'{"id_token":{}}').decode())
    assert refused.value.invalid[0]["field"] == "body.claims"


def test_errors_of_challenges_can_be_told_apart():
    problem = {"code": "claims_not_satisfied", "addresses": {"graph": "198.51.100.7", "sign_in": "192.0.2.10"}}
    error = error_for(409, problem)
    assert isinstance(error, tb.ClaimsNotSatisfied) and error.addresses["graph"] == "198.51.100.7"
