"""With pytest: the fixture of the package's plugin."""

import socket
from unittest import mock

import pytest
from django.contrib.auth import get_user_model

from token_broker_client.django import conf


def test_the_fixture_is_the_broker_of_the_app(token_broker):
    token_broker.connect("jane")
    assert conf.get_client().get_token("jane").account["username"] == "jane@contoso.com"
    token_broker.disconnect("jane")
    assert conf.get_client().get_integration("jane") is None


def test_each_test_has_its_own(token_broker):
    assert token_broker.users == {}


@pytest.fixture(scope="module")
def calls_of_a_deletion():
    with mock.patch.object(socket, "create_connection", side_effect=OSError) as opened:
        get_user_model().objects.create_user(username="of-the-module").delete()
    return opened.call_count


def test_a_fixture_of_a_module_called_nobody(calls_of_a_deletion):
    assert calls_of_a_deletion == 0
