"""The support pages about an attempt to connect by which nothing was connected."""

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client as Browser

from token_broker_client.django import feed

from conftest import new_user
from support_case import LIST, MICROSOFT, make_person, support_browser

pytestmark = pytest.mark.usefixtures("no_connections")


@pytest.fixture()
def support_member():
    return support_browser("view_connection", "disconnect_connection", "send_connection_link")


def begin(fake, user):
    """The user presses the button. Returns the connect session."""
    browser = Browser()
    browser.force_login(user)
    browser.post("/microsoft/connect")
    return browser, next(reversed(fake.sessions))


@pytest.fixture()
def newcomer():
    return get_user_model().objects.create_user(username=new_user(), email="new@contoso.com", first_name="Nadja")


@pytest.mark.parametrize(
    ("reason", "who_acts", "said"),
    [
        ("not_approved", "user", "The organisation&#x27;s IT, or the user if they clicked “Cancel” at Microsoft"),
        ("admin_consent_required", "tenant_admin", "<strong>Who must act:</strong> The organisation&#x27;s IT<"),
    ],
)
def test_a_first_connect_that_needs_an_administrator_gets_the_message_for_it(
    fake, newcomer, support_member, reason, who_acts, said
):
    _, session = begin(fake, newcomer)
    fake.cancel(session, reason, who_acts, MICROSOFT)
    url = f"{LIST}person/{newcomer.pk}/"
    page = support_member.get(url).content.decode()
    assert said in page and MICROSOFT["trace_id"] in page and f"({reason})" in page
    assert ("Link for connecting</a>" in page) is (who_acts == "user")
    assert f"{url}message/" in page
    message = support_member.post(f"{url}message/", {"do": "show"}).content.decode()
    assert "Please approve MEGDocs" in message and MICROSOFT["trace_id"] in message
    support_member.post(f"{url}message/")
    assert mail.outbox[0].subject.startswith(
        ("MEGDocs does not have permission", "An administrator must approve MEGDocs")
    )
    assert mail.outbox[0].to == ["new@contoso.com"] and "Please read the request and approve it" in mail.outbox[0].body


def test_an_attempt_that_did_not_come_back_is_shown_also_while_the_broker_is_away(fake, newcomer, support_member):
    begin(fake, newcomer)
    url = f"{LIST}person/{newcomer.pk}/"
    for stop in (False, True):
        if stop:
            fake.stop()
        page = support_member.get(url).content.decode()
        assert "A connect was begun and not completed" in page and "Ask what they see there" in page
        assert f"{url}message/" in page and f"{url}link/" in page


def test_another_account_is_shown_with_its_name(fake, support_member):
    person = make_person(fake)
    browser, session = begin(fake, person)
    handle = fake.come_back(session, "sam.private@fabrikam.com")
    browser.get("/microsoft/connected", {"connect_session": session, "handle": handle})
    page = support_member.get(f"{LIST}{person.username}/change/").content.decode()
    assert "<h2>Connected</h2>" in page and "sam.private@fabrikam.com" in page and "(other_account)" in page
    assert "The user chose another Microsoft account" in page
    fake.sessions.clear()
    page = support_member.get(f"{LIST}{person.username}/change/").content.decode()
    assert "(other_account)" in page, "the broker has forgotten it, this site has not"


def test_a_change_of_the_account_leaves_both_in_the_history(fake, support_member):
    person = make_person(fake)
    fake.require_reconnect(person.username)
    feed.sync()
    browser = Browser()
    browser.force_login(person)
    browser.post("/microsoft/connect", {"allow_switch": "yes"})
    session = next(reversed(fake.sessions))
    handle = fake.come_back(session, "sam.new@fabrikam.com")
    browser.get("/microsoft/connected", {"connect_session": session, "handle": handle})
    feed.sync()
    page = support_member.get(f"{LIST}{person.username}/change/").content.decode()
    history = page.partition("<h2>History</h2>")[2]
    assert "samira.k@contoso.com" in history and "sam.new@fabrikam.com" in history


def test_an_attempt_that_a_later_connect_followed_is_not_shown(fake, newcomer, support_member):
    _, session = begin(fake, newcomer)
    fake.cancel(session)
    browser, session = begin(fake, newcomer)
    handle = fake.come_back(session)
    browser.get("/microsoft/connected", {"connect_session": session, "handle": handle})
    feed.sync()
    page = support_member.get(f"{LIST}{newcomer.username}/change/").content.decode()
    assert "<h2>Connected</h2>" in page and "Last attempt" not in page
