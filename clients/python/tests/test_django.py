"""The Django app in the example project, with the real broker: views, sessions, users, checks."""

import datetime
import os
import re
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.serializers import JSONSerializer
from django.core import signing
from django.core.exceptions import ImproperlyConfigured
from django.test import Client as Browser
from django.test import override_settings
from django.utils import timezone, translation

from token_broker_client.django import conf

from conftest import HERE, WORLD, Back, connect, make_client, new_user, through_microsoft


def press_connect(browser, **fields):
    """Presses the button. Returns the broker's URL that the page continues to."""
    page = browser.post("/microsoft/connect", fields)
    assert page.status_code == 200
    found = re.search(r'url=(\S+?)"', page.content.decode())
    assert found is not None
    return found.group(1)


def come_back(browser, back):
    return browser.get("/microsoft/connected", {"connect_session": back.id, "handle": back.handle})


SESSIONS = pytest.mark.parametrize(
    "sessions", ["django.contrib.sessions.backends.db", "django.contrib.sessions.backends.signed_cookies"]
)
GUESS = "A" * 43


def logged_in(username=None):
    browser = Browser()
    browser.force_login(get_user_model().objects.create_user(username=username or new_user()))
    return browser


# ---- Connecting ----


def test_a_user_connects_and_comes_back_to_where_they_were(browser, user):
    refused = browser.get("/documents")
    assert refused.status_code == 302
    page = browser.get(refused["location"])
    assert 'value="/documents"' in page.content.decode()
    back = come_back(browser, through_microsoft(press_connect(browser, next="/documents")))
    assert (back.status_code, back["location"]) == (302, "/documents")
    documents = browser.get("/documents").content.decode()
    assert (
        'Connected to Microsoft as <bdi dir="ltr">jane@contoso.com</bdi>' in documents
        and "Hand hygiene audit" in documents
    )


def test_without_next_the_user_ends_at_the_result_page_of_the_broker(browser):
    back = come_back(browser, through_microsoft(press_connect(browser)))
    assert back.status_code == 302 and "/auth/oauth2/microsoft/result/" in back["location"]


def test_a_next_url_of_another_site_is_ignored(browser):
    back = come_back(browser, through_microsoft(press_connect(browser, next="https://evil.example/")))
    assert "/auth/oauth2/microsoft/result/" in back["location"]


def test_two_tabs_each_come_back_to_their_own_page(browser):
    one, two = press_connect(browser, next="/documents"), press_connect(browser, next="/")
    assert come_back(browser, through_microsoft(two))["location"] == "/"
    assert come_back(browser, through_microsoft(one))["location"] == "/documents"


# Mallory begins. The victim opens the link and approves (docs/security.md#connect-flow).


@SESSIONS
def test_what_a_victim_approved_ends_when_they_arrive_in_their_own_login(sessions):
    with override_settings(SESSION_ENGINE=sessions):
        mallory, name = Browser(), new_user()
        mallory.force_login(get_user_model().objects.create_user(username=name))
        victim, victims_name = Browser(), new_user()
        victim.force_login(get_user_model().objects.create_user(username=victims_name))
        back = through_microsoft(press_connect(mallory))
        page = come_back(victim, back)
        assert page.status_code == 403 and "so nothing was connected" in page.content.decode()
        assert page["referrer-policy"] == "same-origin", "the address with the handle does not go to other sites"
        # Mallory has got the whole address: from a history, an access log, a Referer, or by asking for it.
        leaked = come_back(mallory, back)
        assert leaked.status_code == 302 and "/result/" in leaked["location"]
        client = make_client()
        assert client.get_connect_session(back.id)["outcome"]["reason"] == "not_the_same_user"
        for username in (name, victims_name):
            assert client.get_integration(username) is None


@SESSIONS
def test_a_beginner_who_knows_the_id_is_never_faster_than_the_victim(sessions):
    with override_settings(SESSION_ENGINE=sessions):
        mallory, name = Browser(), new_user()
        mallory.force_login(get_user_model().objects.create_user(username=name))
        victim = logged_in()
        url = press_connect(mallory)
        back = through_microsoft(url)
        own = through_microsoft(press_connect(mallory))
        # The victim has approved and has not arrived yet. Mallory knows the id from the side that began.
        for handle in ("", "x", GUESS, own.handle):
            page = come_back(mallory, Back(back.id, handle))
            assert page.status_code == 403, handle
        assert mallory.get("/microsoft/connected", {"connect_session": back.id}).status_code == 403
        assert make_client().get_connect_session(back.id)["status"] == "received"
        come_back(victim, back)
        assert come_back(mallory, back).status_code == 302
        assert make_client().get_connect_session(back.id)["status"] == "refused"
        assert make_client().get_integration(name) is None


@SESSIONS
def test_the_same_user_in_another_login_does_not_complete_it_either(sessions):
    with override_settings(SESSION_ENGINE=sessions):
        user = get_user_model().objects.create_user(username=new_user())
        one, two = Browser(), Browser()
        one.force_login(user)
        two.force_login(user)
        back = through_microsoft(press_connect(one))
        assert come_back(two, back).status_code == 403
        assert "/result/" in come_back(one, back)["location"]
        assert make_client().get_integration(user.username) is None


def test_a_visitor_who_is_not_logged_in_ends_nothing(browser, user):
    back = through_microsoft(press_connect(browser))
    assert come_back(Browser(), back).status_code == 403
    assert make_client().get_connect_session(back.id)["status"] == "received"
    assert come_back(browser, back).status_code == 302
    assert make_client().get_integration(user.username) is not None


def test_a_repeated_arrival_of_the_beginner_leads_to_the_same_page_and_changes_nothing(browser, user):
    for fields in ({}, {"next": "/documents"}):
        back = through_microsoft(press_connect(browser, **fields))
        first = come_back(browser, back)["location"]
        before = make_client().get_integration(user.username)
        again = come_back(browser, back)
        assert (again.status_code, again["location"]) == (302, first)
        assert make_client().get_integration(user.username) == before is not None
        stranger = logged_in()
        assert come_back(stranger, back).status_code == 403
        assert make_client().get_integration(user.username) == before, "an end after the completion is too late"


def test_if_the_end_of_an_attempt_fails_the_page_is_the_same_and_the_log_says_so(browser, fake, caplog):
    session = fake.client().begin_connect("mallory")
    handle = fake.come_back(session.id)
    fake.fail("database_unavailable", 503, who_acts="nobody", times=9)
    assert come_back(browser, Back(session.id, handle)).status_code == 403
    assert "was not ended: code=database_unavailable" in caplog.text and handle not in caplog.text


@override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
def test_a_session_in_a_cookie_does_not_contain_the_id_of_the_connect_session(user):
    browser = Browser()
    browser.force_login(user)
    url = press_connect(browser, next="/documents")
    back = through_microsoft(url)
    connect_session = back.id
    cookie = browser.cookies["sessionid"].value
    held = signing.loads(cookie, salt="django.contrib.sessions.backends.signed_cookies", serializer=JSONSerializer)
    assert connect_session not in str(held) and connect_session.replace("-", "") not in str(held)
    # The value in the cookie cannot be used in place of the id.
    assert come_back(browser, Back(held["token_broker_login"], back.handle)).status_code == 403
    assert come_back(browser, back)["location"] == "/documents"


def test_an_attempt_that_the_broker_has_deleted_leads_to_a_new_one(browser, user, fake):
    press_connect(browser, next="/documents")
    connect_session = next(iter(fake.sessions))
    fake.sessions.clear()
    page = come_back(browser, Back(connect_session, GUESS))
    assert (
        page.status_code == 403
        and '<a class="button" href="/microsoft/connect?next=%2Fdocuments">Connect to Microsoft</a>'
        in page.content.decode()
    )


def test_if_the_button_failed_the_page_links_to_the_button(browser, fake):
    fake.stop()
    page = browser.post("/microsoft/connect", {"next": "/documents"})
    assert (
        page.status_code == 503
        and '<a class="button" href="/microsoft/connect?next=%2Fdocuments">Try again</a>' in page.content.decode()
    )


def test_a_user_who_was_logged_out_meanwhile_is_asked_to_connect_again(browser, user):
    back = through_microsoft(press_connect(browser, next="/documents"))
    browser.logout()
    page = come_back(browser, back)
    text = " ".join(page.content.decode().split())
    assert page.status_code == 403 and "click it once more" in text
    assert '<a class="button" href="/microsoft/connect">Log in and connect to Microsoft</a>' in text
    assert make_client().get_integration(user.username) is None


def test_a_refused_connect_ends_on_the_brokers_page(browser, user):
    connect(make_client(), user.username, "jane@contoso.com")
    back = come_back(browser, through_microsoft(press_connect(browser, next="/documents"), "omar@contoso.com"))
    assert back.status_code == 302 and "/result/" in back["location"], "another account"


def test_manage_opens_the_account_page(browser):
    page = browser.get("/microsoft/manage")
    assert page.status_code == 302 and page["location"].startswith(WORLD["site"] + "/auth/oauth2/microsoft/connect/")


def test_another_site_cannot_open_the_account_page_without_the_button(user):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    page = browser.get("/microsoft/manage", headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status_code == 200 and WORLD["site"] not in page.content.decode(), "no connect session was begun"
    assert browser.post("/microsoft/manage").status_code == 403, "the button needs the CSRF token"
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())
    assert token is not None
    opened = browser.post("/microsoft/manage", {"csrfmiddlewaretoken": token.group(1)})
    assert f"url={WORLD['site']}/auth/oauth2/microsoft/connect/" in opened.content.decode()
    for site in ("same-origin", "same-site", "none"):
        assert browser.get("/microsoft/manage", headers={"Sec-Fetch-Site": site}).status_code == 302


def test_connect_and_manage_need_a_login():
    stranger = Browser(enforce_csrf_checks=True)
    for path in ("/microsoft/connect", "/microsoft/manage"):
        assert stranger.get(path)["location"].startswith("/login?next=")


def test_the_button_needs_the_csrf_token(user):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    assert browser.post("/microsoft/connect").status_code == 403


# ---- Users ----


def test_a_logout_ends_the_browser_session_of_the_broker(browser, user, fake):
    browser.post("/logout")
    assert fake.ended_browser_sessions == [user.username]


def test_a_logout_succeeds_while_the_broker_cannot_be_reached(browser, fake):
    fake.stop()
    assert browser.post("/logout").status_code == 302


def test_a_logout_succeeds_with_wrong_settings_and_logs_no_value_of_them(browser, user, caplog):
    def broken(user):
        raise RuntimeError("canary-secret")

    for change in ({"USER_ID_FUNCTION": broken}, {"USER_ID_FUNCTION": lambda user: "a b"}, {"SECRET": "canary-secret"}):
        browser.force_login(user)
        caplog.clear()
        with override_settings(TOKEN_BROKER={**conf.get_settings(), **change}):
            assert browser.post("/logout").status_code == 302
            assert "_auth_user_id" not in browser.session
        assert "were not ended" in caplog.text and "canary" not in caplog.text


def test_a_logout_waits_at_most_a_second_for_the_broker_and_a_status_a_fifth(browser, user, fake, monkeypatch):
    waited = []
    answer = fake.send

    def record(request, timeout_seconds):
        waited.append(timeout_seconds)
        return answer(request, timeout_seconds)

    monkeypatch.setattr(fake, "send", record)
    given = {name: value for name, value in conf.get_settings().items() if name != "STATUS_TIMEOUT_SECONDS"}
    with override_settings(TOKEN_BROKER=given), conf.use_fake(fake):
        browser.get("/")
        browser.post("/logout")
    assert len(waited) == 2 and waited[0] <= 0.2 and waited[1] <= 1


def test_an_id_that_the_broker_does_not_accept_raises(user):
    for given in ("a b", "", ".", "..", "x" * 129, "name\n", None):
        with (
            override_settings(
                TOKEN_BROKER={**conf.get_settings(), "USER_ID_FUNCTION": lambda user, given=given: given}
            ),
            pytest.raises(ImproperlyConfigured, match="USER_ID_FUNCTION"),
        ):
            conf.broker_user_id(user)
    with override_settings(TOKEN_BROKER={**conf.get_settings(), "USER_ID_FUNCTION": lambda user: 42}):
        assert conf.broker_user_id(user) == "42"
    with pytest.raises(ValueError):
        conf.broker_user_id(AnonymousUser())


def test_deleting_a_user_disconnects_them(user):
    connect(make_client(), user.username)
    user.delete()
    assert make_client().get_integration(user.username) is None


def test_documented_environment_variables_belong_to_this_package_alone():
    # Celery reads BROKER_URL. Kubernetes sets TOKEN_BROKER_PORT, …_SERVICE_HOST and so on for a service `token-broker`.
    with open(os.path.join(HERE, "..", "..", "..", "docs", "adopt-django.md"), encoding="utf-8") as file:
        names = set(re.findall(r'environ\["(\w+)"\]', file.read()))
    assert names >= {"TOKEN_BROKER_URL", "TOKEN_BROKER_KEY_ID", "TOKEN_BROKER_SECRET"}
    assert [name for name in names if not re.fullmatch(r"TOKEN_BROKER_(?!PORT|SERVICE)\w+", name)] == []


def test_the_pages_of_the_broker_get_language_and_time_zone_of_the_user(browser, fake):
    with translation.override("de-at"), timezone.override(ZoneInfo("Europe/Vienna")):
        browser.post("/microsoft/connect", headers={"accept-language": "de-at"})
        browser.get("/microsoft/manage", headers={"accept-language": "de-at"})
    for session in fake.sessions.values():
        assert session["locale"].startswith("de") and session["time_zone"] == "Europe/Vienna"
    assert [session["intent"] for session in fake.sessions.values()] == ["connect", "manage"]


def test_a_time_zone_without_an_iana_name_is_no_reason_to_fail(browser, fake):
    with timezone.override(datetime.timezone(datetime.timedelta(hours=1))):
        assert browser.post("/microsoft/connect").status_code == 200
    assert "time_zone" not in next(iter(fake.sessions.values()))
