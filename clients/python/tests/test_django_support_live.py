"""The support pages with the real broker and the simulated Microsoft."""

import html
import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser

from token_broker_client import ReconnectRequired
from token_broker_client.django import feed, tokens

from conftest import WORLD, connect, make_client, new_user, post
from conftest import Browser as Visitor
from support_case import row_of

pytestmark = pytest.mark.usefixtures("no_connections")


@pytest.fixture()
def clerk():
    user = get_user_model().objects.create_superuser(username=new_user())
    browser = Browser()
    browser.force_login(user)
    return browser


def page_of(clerk, user):
    return clerk.get(f"/admin/token_broker/connection/{user.username}/change/").content.decode()


def test_a_revoked_access_is_shown_with_the_ids_of_microsoft(clerk, user):
    connect(make_client(), user.username, account="lena@fabrikam.com")
    feed.sync()
    row = row_of(user)
    assert (row.state, row.user, row.username, row.domain) == ("connected", user, "lena@fabrikam.com", "fabrikam.com")
    assert "<h2>Connected</h2>" in page_of(clerk, user)
    post(WORLD["entra"] + "/control/revoke-sessions", {"account": "lena@fabrikam.com"})
    post(WORLD["controls"], {"action": "expire", "userId": user.username})
    with pytest.raises(ReconnectRequired) as refused:
        tokens.get_token(user)
    assert row_of(user).state == "reconnect_required", "before its event comes"
    feed.sync()
    row = row_of(user)
    assert (row.state, row.reason) == ("reconnect_required", refused.value.reason)
    assert row.microsoft["aadsts"] and row.microsoft["trace_id"] and row.microsoft["correlation_id"]
    page = page_of(clerk, user)
    assert row.microsoft["trace_id"] in page and "Stopped working" in page and "Link for connecting</a>" in page


def test_a_first_connect_that_needs_an_administrator_is_shown_with_the_message_for_it(clerk, user):
    browser = Browser()
    browser.force_login(user)
    pressed = browser.post("/microsoft/connect").content.decode()
    found = re.search(r'href="([^"]+/connect/[^"]+)"', pressed)
    assert found is not None
    visitor = Visitor()
    there = visitor.open(html.unescape(found.group(1)))
    url = f"/admin/token_broker/connection/person/{user.pk}/"
    assert "A connect was begun and not completed" in clerk.get(url).content.decode()
    back = post(WORLD["entra"] + "/control/need-admin-approval", {"authorizeUrl": there.url})
    visitor.open(back["callbackUrl"])
    page = clerk.get(url).content.decode()
    assert "The organisation&#x27;s IT" in page and f"{url}message/" in page and "AADSTS" in page
    message = clerk.post(f"{url}message/", {"do": "show"}).content.decode()
    assert "Please approve MEGDocs" in message


def test_a_disconnect_in_the_admin_and_one_elsewhere_are_told_apart(clerk, user):
    connect(make_client(), user.username)
    feed.sync()
    # As the page of the broker does.
    make_client().disconnect(user.username)
    feed.sync()
    assert "The user disconnected on the page of their Microsoft connection" in page_of(clerk, user)
    connect(make_client(), user.username)
    feed.sync()
    clerk.post(f"/admin/token_broker/connection/{user.username}/disconnect/")
    assert make_client().get_integration(user.username) is None
    feed.sync()
    assert "Somebody in support disconnected this user" in page_of(clerk, user)
