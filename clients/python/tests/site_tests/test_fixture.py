"""With pytest: the fixture of the package's plugin."""

from token_broker_client.django import conf


def test_the_fixture_is_the_broker_of_the_app(token_broker):
    token_broker.connect("jane")
    assert conf.get_client().get_token("jane").account["username"] == "jane@contoso.com"
    token_broker.disconnect("jane")
    assert conf.get_client().get_integration("jane") is None


def test_each_test_has_its_own(token_broker):
    assert token_broker.users == {}
