"""The Django app in the example project, against the real broker: views, sessions, users, checks."""

import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.serializers import JSONSerializer
from django.core import signing
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.template import Context, Template
from django.test import Client as Browser
from django.test import RequestFactory, override_settings

import token_broker_client as tb
from token_broker_client.django import checks, conf

from conftest import WORLD, connect, make_client, new_user, through_microsoft


def press_connect(browser, **fields):
    """The button; the broker's address that the page goes on to."""
    page = browser.post("/microsoft/connect", fields)
    assert page.status_code == 200
    return re.search(r'url=(\S+?)"', page.content.decode()).group(1)


def come_back(browser, connect_session):
    return browser.get("/microsoft/connected", {"connect_session": connect_session})


# ---- Connecting ----


def test_a_user_connects_and_comes_back_to_where_they_were(browser, user):
    refused = browser.get("/documents")
    assert refused.status_code == 302
    page = browser.get(refused["location"])
    assert 'value="/documents"' in page.content.decode()
    back = come_back(browser, through_microsoft(press_connect(browser, next="/documents")))
    assert (back.status_code, back["location"]) == (302, "/documents")
    documents = browser.get("/documents").content.decode()
    assert "Connected to Microsoft as jane@contoso.com" in documents and "Hand hygiene audit" in documents


def test_without_a_place_to_return_to_the_brokers_page_tells(browser):
    back = come_back(browser, through_microsoft(press_connect(browser)))
    assert back.status_code == 302 and "/auth/oauth2/microsoft/result/" in back["location"]


def test_a_place_elsewhere_is_never_returned_to(browser):
    back = come_back(browser, through_microsoft(press_connect(browser, next="https://evil.example/")))
    assert "/auth/oauth2/microsoft/result/" in back["location"]


def test_two_tabs_each_come_back_to_their_own_place(browser):
    one, two = press_connect(browser, next="/documents"), press_connect(browser, next="/")
    assert come_back(browser, through_microsoft(two))["location"] == "/"
    assert come_back(browser, through_microsoft(one))["location"] == "/documents"


def test_a_connect_that_another_login_began_is_not_completed(browser, user):
    mallory = Browser()
    mallory.force_login(get_user_model().objects.create_user(username=new_user()))
    connect_session = through_microsoft(press_connect(mallory))
    page = come_back(browser, connect_session)
    assert page.status_code == 403
    assert make_client().integration(user.username) is None


@override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
def test_a_session_in_a_cookie_shows_no_connect_session_to_its_user(user):
    browser = Browser()
    browser.force_login(user)
    url = press_connect(browser, next="/documents")
    connect_session = through_microsoft(url)
    cookie = browser.cookies["sessionid"].value
    held = signing.loads(cookie, salt="django.contrib.sessions.backends.signed_cookies", serializer=JSONSerializer)
    assert list(held["token_broker_connect"].values()) == ["/documents"]
    assert connect_session not in str(held) and connect_session.replace("-", "") not in str(held)
    # Neither is what the cookie holds of use to whoever reads it.
    stolen = next(iter(held["token_broker_connect"]))
    assert come_back(browser, stolen).status_code == 403
    assert come_back(browser, connect_session)["location"] == "/documents"


def test_a_connect_that_the_broker_forgot_gets_one_more_click(browser, user, fake):
    press_connect(browser, next="/documents")
    connect_session = next(iter(fake.sessions))
    fake.sessions.clear()
    page = come_back(browser, connect_session)
    assert (
        page.status_code == 403
        and '<a href="/microsoft/connect?next=%2Fdocuments">Connect to Microsoft</a>' in page.content.decode()
    )


def test_a_button_that_failed_leads_back_to_the_button(browser, fake):
    fake.stop()
    page = browser.post("/microsoft/connect", {"next": "/documents"})
    assert (
        page.status_code == 503
        and '<a href="/microsoft/connect?next=%2Fdocuments">Try again</a>' in page.content.decode()
    )


def test_a_login_that_ended_on_the_way_gets_one_more_click(browser, user):
    connect_session = through_microsoft(press_connect(browser, next="/documents"))
    browser.logout()
    page = come_back(browser, connect_session)
    text = " ".join(page.content.decode().split())
    assert page.status_code == 403 and "click once more: Microsoft will not ask for your approval again" in text
    assert '<a href="/microsoft/connect">' in text
    assert make_client().integration(user.username) is None


def test_a_refused_connect_ends_on_the_brokers_page(browser, user):
    connect(make_client(), user.username, "jane@contoso.com")
    back = come_back(browser, through_microsoft(press_connect(browser, next="/documents"), "omar@contoso.com"))
    assert back.status_code == 302 and "/result/" in back["location"], "another account"


def test_manage_opens_the_account_page(browser):
    page = browser.get("/microsoft/manage")
    assert page.status_code == 302 and page["location"].startswith(WORLD["public"] + "/auth/oauth2/microsoft/connect/")


def test_nobody_but_a_logged_in_user_may_begin():
    stranger = Browser(enforce_csrf_checks=True)
    for path in ("/microsoft/connect", "/microsoft/manage"):
        assert stranger.get(path)["location"].startswith("/login?next=")


def test_the_button_needs_the_csrf_token(user):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    assert browser.post("/microsoft/connect").status_code == 403


# ---- Users ----


def test_logging_out_ends_the_brokers_browser_session(browser, user, fake):
    browser.post("/logout")
    assert fake.ended_browser_sessions == [user.username]


def test_logging_out_works_while_the_broker_is_away(browser, fake):
    fake.stop()
    assert browser.post("/logout").status_code == 302


def test_logging_out_works_whatever_is_wrong_and_logs_no_text_of_it(browser, user, caplog):
    def broken(user):
        raise RuntimeError("canary-secret")

    for change in ({"USER_ID": broken}, {"USER_ID": lambda user: "a b"}, {"SECRET": "canary-secret"}):
        browser.force_login(user)
        caplog.clear()
        with override_settings(TOKEN_BROKER={**conf.values(), **change}):
            assert browser.post("/logout").status_code == 302
            assert "_auth_user_id" not in browser.session
        assert "were not ended" in caplog.text and "canary" not in caplog.text


def test_a_logout_and_a_page_wait_only_shortly_for_the_broker(browser, user, fake, monkeypatch):
    waited = []
    answer = fake.send
    monkeypatch.setattr(fake, "send", lambda request, timeout: waited.append(timeout) or answer(request, timeout))
    browser.get("/")
    browser.post("/logout")
    assert len(waited) == 2 and max(waited) <= 2


def test_only_what_the_broker_takes_as_an_id_is_one(user):
    for given in ("a b", "", ".", "..", "x" * 129, "name\n", None):
        with override_settings(TOKEN_BROKER={**conf.values(), "USER_ID": lambda user, given=given: given}):
            with pytest.raises(ImproperlyConfigured, match="USER_ID"):
                conf.user_id_of(user)
    with override_settings(TOKEN_BROKER={**conf.values(), "USER_ID": lambda user: 42}):
        assert conf.user_id_of(user) == "42"
    with pytest.raises(ValueError):
        conf.user_id_of(AnonymousUser())


def test_a_user_deleted_as_a_proxy_of_the_model_is_disconnected_too(user, fake):
    class Doctor(get_user_model()):
        class Meta:
            proxy = True
            app_label = "megdocs"

    try:
        fake.connect(user.username)
        Doctor.objects.get(pk=user.pk).delete()
        assert fake.users == {}
    finally:
        del apps.all_models["megdocs"]["doctor"]
        apps.clear_cache()


def test_deleting_a_user_disconnects_them(user):
    connect(make_client(), user.username)
    user.delete()
    assert make_client().integration(user.username) is None


def test_a_user_whose_tokens_cannot_be_deleted_is_not_deleted(user, fake):
    fake.stop()
    with pytest.raises(tb.BrokerUnreachable):
        user.delete()
    assert get_user_model().objects.filter(username=user.username).exists()


# ---- Errors become pages ----


def test_what_an_administrator_must_do_is_said_and_is_no_redirect(browser, user, fake):
    fake.connect(user.username)
    fake.require_reconnect(user.username, "blocked_by_policy", "tenant_admin", "A policy blocks this access.")
    page = browser.get("/documents")
    assert page.status_code == 409 and "A policy blocks this access." in page.content.decode()


def test_what_the_user_can_solve_leads_to_connect_and_back(browser, user, fake):
    fake.connect(user.username)
    fake.require_reconnect(user.username)
    page = browser.get("/documents/abc?x=1")
    assert parse_qs(urlsplit(page["location"]).query)["next"] == ["/documents/abc?x=1"]
    sent = browser.post("/documents/abc", {"text": "x"}, headers={"referer": "http://testserver/documents/abc"})
    assert parse_qs(urlsplit(sent["location"]).query)["next"] == ["http://testserver/documents/abc"]


def test_a_broker_that_is_away_is_a_503_with_retry_after(browser, fake):
    fake.stop()
    page = browser.get("/documents")
    assert (page.status_code, page["retry-after"]) == (503, "5")
    assert browser.get("/").status_code == 200, "the template tag never fails"


def test_the_tag_says_what_is_connected(user, fake):
    request = RequestFactory().get("/here")
    request.user = user
    template = Template(
        "{% load token_broker %}{% microsoft_status as m %}{{ m.state }} {{ m.username }} {{ m.advice }} {{ m.connect_url }}"
    )

    def shown():
        return " ".join(template.render(Context({"request": request})).split())

    url = "/microsoft/connect?next=%2Fhere"
    assert shown() == f"not_connected {url}"
    fake.connect(user.username)
    assert shown() == f"connected jane@contoso.com {url}"
    fake.require_reconnect(user.username)
    assert shown() == f"reconnect_required jane@contoso.com Connect again. {url}"
    fake.stop()
    assert shown().startswith("unknown")


# ---- Checks ----


def ids(found):
    return [message.id for message in found]


def test_checks_pass_with_the_right_settings_and_name_what_is_wrong(user):
    assert checks.check_settings(None) == [] and checks.check_broker(None) == []
    right = conf.values()
    reader = WORLD["callers"]["reader"]
    for change, wanted in (
        ({"SECRET": "B" * 42 + "A"}, ["token_broker.E002"]),
        ({"AUTHORITY": "other.internal"}, ["token_broker.E002"]),
        ({"URL": "http://127.0.0.1:9"}, ["token_broker.E002"]),
        ({"KEY_ID": reader["key_id"], "SECRET": reader["secret"]}, ["token_broker.W001"] * 6),
    ):
        with override_settings(TOKEN_BROKER={**right, **change}):
            assert ids(checks.check_broker(None)) == wanted, change
    table = right["IMPORT"]
    mistyped = {**table, "FIELDS": {**table["FIELDS"], "refresh_token": "refresh_tokn"}}
    for change in (
        {"SECRET": ""},
        {"SECRET": "short"},
        {"URL": "ftp://x"},
        {"TYPO": 1},
        {"USER_ID": "no.where"},
        {"READ_FROM": "old"},
        {"IMPORT": mistyped},
        {"IMPORT": {**table, "MODEL": "megdocs.Nothing"}},
    ):
        with override_settings(TOKEN_BROKER={**right, **change}):
            found = checks.check_settings(None)
            assert ids(found) == ["token_broker.E001"], change
            assert "short" not in str(found)
    newest = make_client().list_integrations(limit=1).events_cursor
    assert checks.check_broker(None) == []
    assert make_client().read_events(newest).events == [], "a check changes nothing"
    call_command("check", "--tag", "token_broker", "--deploy", stdout=io.StringIO())
