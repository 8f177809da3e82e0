"""The tests use a real broker and a simulated Microsoft. `npm run test:python` starts both, and describes them in
the file TOKEN_BROKER_TESTS."""

import http.cookiejar
import importlib.util
import itertools
import json
import os
import re
import sys
import urllib.error
import urllib.request
from types import SimpleNamespace
from typing import NamedTuple

import pytest

HERE = os.path.dirname(__file__)
sys.path.insert(0, os.path.join(HERE, "..", "example"))

if "TOKEN_BROKER_TESTS" not in os.environ:
    raise pytest.UsageError("run these tests with `npm run test:python`: they need a broker")
with open(os.environ["TOKEN_BROKER_TESTS"], encoding="utf-8") as described:
    WORLD = json.load(described)

# Microsoft's SDKs are in one environment, Celery and Django REST framework in the other.
collect_ignore = [
    "site_tests",  # test_project_tests.py runs them
    *([] if WORLD["sdks"] else ["test_credential.py"]),
    *([] if WORLD["frameworks"] else ["test_celery.py", "test_django_rest.py"]),
]

HMAC = WORLD["callers"]["hmac"]
os.environ.update(
    DJANGO_SETTINGS_MODULE="megdocs.settings",
    TOKEN_BROKER_URL=WORLD["broker"],
    TOKEN_BROKER_AUTHORITY=WORLD["authority"],
    TOKEN_BROKER_KEY_ID=HMAC["key_id"],
    TOKEN_BROKER_SECRET=HMAC["secret"],
    GRAPH_URL=WORLD["graph"],
    MEGDOCS_URL=WORLD["site"],
)

from token_broker_client import Client, Ed25519Key, Ed25519PublicKey, HmacKey  # noqa: E402

_numbers = itertools.count(1)


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


class Browser:
    """Follows redirects and keeps cookies, as a connect needs it."""

    def __init__(self):
        self._jar = http.cookiejar.CookieJar(
            http.cookiejar.DefaultCookiePolicy(strict_ns_domain=http.cookiejar.DefaultCookiePolicy.DomainLiberal)
        )
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar), _StopAtMicrosoft())

    def open(self, url):
        request = urllib.request.Request(url, headers={"accept": "text/html", "sec-fetch-mode": "navigate"})
        try:
            with self._opener.open(request, timeout=20) as answer:
                return answer.read().decode()
        except _AtMicrosoft as there:
            return there


class Back(NamedTuple):
    id: str
    handle: str


class _AtMicrosoft(Exception):
    def __init__(self, url):
        self.url = url


class _StopAtMicrosoft(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, file, code, message, headers, new_url):
        if "/oauth2/v2.0/authorize" in new_url:
            raise _AtMicrosoft(new_url)
        return super().redirect_request(request, file, code, message, headers, new_url)


def through_microsoft(url, account="jane@contoso.com"):
    """Signs in at Microsoft. Returns what the browser brings to the completion view."""
    browser = Browser()
    there = browser.open(url)
    assert isinstance(there, _AtMicrosoft), there
    back = post(WORLD["entra"] + "/control/sign-in", {"account": account, "authorizeUrl": there.url})
    page = browser.open(back["callbackUrl"])
    found = re.search(r"connect_session=([0-9a-f-]{36})&(?:amp;)?handle=([\w-]{43})", page)
    assert found is not None, page
    return Back(found.group(1), found.group(2))


def refresh_token(account="jane@contoso.com"):
    return post(WORLD["entra"] + "/control/issue-refresh-token", {"account": account})["refreshToken"]


def new_user():
    """An id that no earlier test has used, also not in an earlier run with the same broker."""
    return f"{WORLD['prefix']}-{next(_numbers)}"


def make_client(caller="hmac", **options):
    half = WORLD["callers"][caller]
    options = {"authority": WORLD["authority"], **options}
    if half["algorithm"] == "ed25519":
        options.setdefault("response_key", Ed25519PublicKey(half["response_key_id"], half["response_public_key"]))
        return Client(WORLD["broker"], Ed25519Key(half["key_id"], half["private_key"]), **options)
    return Client(WORLD["broker"], HmacKey(half["key_id"], half["secret"]), **options)


@pytest.fixture()
def client():
    return make_client()


@pytest.fixture()
def world():
    return SimpleNamespace(**WORLD)


def connect(client, user_id, account="jane@contoso.com"):
    session = client.begin_connect(user_id)
    back = through_microsoft(session.url, account)
    assert back.id == session.id
    return client.complete_connect(session.id, user_id, back.handle)


@pytest.fixture()
def connected(client):
    user_id = new_user()
    connect(client, user_id)
    return user_id


if importlib.util.find_spec("django") is not None:
    # The database of the test session is made once for all modules.
    sys.modules.setdefault("conftest", sys.modules[__name__])
    from django_world import browser, database, fake, no_connections, user  # noqa: F401
