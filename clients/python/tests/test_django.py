"""The Django app in the example project, against the real broker: views, sessions, signals, checks, commands."""

import io
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import django
import pytest
from conftest import WORLD, connect, make_client, new_user, refresh_token, through_microsoft

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import CommandError, call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.template import Context, Template  # noqa: E402
from django.test import Client as Browser, RequestFactory, override_settings  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from django.utils import timezone  # noqa: E402
from megdocs.models import Oauth2Integration  # noqa: E402

import token_broker_client as tb  # noqa: E402
from token_broker_client.django import checks, conf, tokens  # noqa: E402
from token_broker_client.django.models import EventCursor  # noqa: E402
from token_broker_client.django.signals import integration_event  # noqa: E402
from token_broker_client.testing import FakeBroker  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def database():
    setup_test_environment()
    name = connection.creation.create_test_db(verbosity=0)
    yield
    connection.creation.destroy_test_db(name, verbosity=0)


@pytest.fixture()
def user():
    return get_user_model().objects.create_user(username=new_user(), password="x")


@pytest.fixture()
def browser(user):
    browser = Browser(enforce_csrf_checks=False)
    browser.force_login(user)
    return browser


@pytest.fixture()
def fake():
    broker = FakeBroker()
    with conf.using(broker.client()):
        yield broker


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
    template = Template("{% load token_broker %}{% microsoft_status as m %}{{ m.state }} {{ m.username }} {{ m.advice }} {{ m.connect_url }}")

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
        ({"KEY_ID": reader["key_id"], "SECRET": reader["secret"]}, ["token_broker.W001", "token_broker.W001"]),
    ):
        with override_settings(TOKEN_BROKER={**right, **change}):
            assert ids(checks.check_broker(None)) == wanted, change
    for change in ({"SECRET": ""}, {"SECRET": "short"}, {"URL": "ftp://x"}, {"TYPO": 1}, {"USER_ID": "no.where"}, {"READ_FROM": "old"}):
        with override_settings(TOKEN_BROKER={**right, **change}):
            found = checks.check_settings(None)
            assert ids(found) == ["token_broker.E001"], change
            assert "short" not in str(found)
    call_command("check", "--tag", "token_broker", "--deploy", stdout=io.StringIO())


# ---- Cut-over ----


def old_token(user):
    return f"old-token-of-{user.username}"


def test_one_setting_moves_reads_to_the_broker_and_back(user):
    connect(make_client(), user.username)
    right = conf.values()
    with override_settings(TOKEN_BROKER={**right, "READ_FROM": "old", "OLD_TOKEN": old_token}):
        assert tokens.get_token(user) == f"old-token-of-{user.username}"
        with override_settings(TOKEN_BROKER={**right, "READ_FROM": "broker", "OLD_TOKEN": old_token}):
            assert tokens.get_token(user) == make_client().get_token(user.username).access_token
        assert tokens.get_token(user).startswith("old-token")


def test_work_is_done_once_more_with_a_later_token(user, fake):
    fake.connect(user.username)
    seen = []

    def work(token):
        seen.append(token)
        if len(seen) == 1:
            raise PermissionError
        return "done"

    assert tokens.with_token(user, work, lambda error: isinstance(error, PermissionError)) == "done"
    assert seen[0] != seen[1]


def run(command, *args):
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(command, *args, stdout=out, stderr=err)
        failed = None
    except CommandError as error:
        failed = str(error)
    return out.getvalue(), err.getvalue(), failed


def test_the_old_table_moves_over_and_every_token_is_proved(monkeypatch):
    Oauth2Integration.objects.all().delete()
    slept = []
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.time.sleep", slept.append)
    users = [get_user_model().objects.create_user(username=new_user()) for _ in range(4)]
    updated = timezone.now() - timedelta(minutes=30)
    good, bare, dead, broken = users
    for user, fields in (
        (good, {"refresh_token": refresh_token(), "access_token": "an-access-token-of-the-old-table", "expires_at": updated + timedelta(hours=1)}),
        (bare, {"refresh_token": refresh_token()}),
        (dead, {"refresh_token": "this-refresh-token-is-long-dead"}),
        (broken, {"refresh_token": ""}),
    ):
        Oauth2Integration.objects.create(user=user, updated_at=updated, **fields)

    out, err, failed = run("token_broker_import")
    assert "Dry run" in out and "imported 3, unchanged 0, skipped 0, invalid 1" in out and failed
    assert make_client().integration(good.username) is None

    out, err, failed = run("token_broker_import", "--apply", "--prove", "120")
    assert f"user {broken.username}: invalid: refresh_token" in err
    assert f"user {dead.username}: must reconnect" in err
    assert "Proved at Microsoft: 2 work, 1 must reconnect, 0 could not be tried" in out
    assert slept == [0.5] * 3
    assert make_client().get_token(bare.username).account["username"] == "jane@contoso.com"

    out, _, _ = run("token_broker_import", "--apply")
    assert "imported 0, unchanged" in out or "skipped" in out
    assert "imported 0" in out
    for text in (out, err):
        assert "long-dead" not in text and "an-access-token" not in text


# ---- Events ----


def test_the_events_command_sends_a_signal_for_each_and_goes_on_where_it_was(user):
    seen = []

    def receive(sender, event, **_):
        seen.append(event)

    integration_event.connect(receive)
    try:
        run("token_broker_events", "--once")
        assert isinstance(seen[0], tb.Resync)
        seen.clear()
        connect(make_client(), user.username)
        run("token_broker_events", "--once")
        assert [(event.user_id, event.type) for event in seen] == [(user.username, "connected")]
        seen.clear()
        run("token_broker_events", "--once")
        assert seen == []
    finally:
        integration_event.disconnect(receive)
    assert EventCursor.objects.count() == 1


def test_an_event_whose_receiver_failed_comes_again(user):
    run("token_broker_events", "--once")
    connect(make_client(), user.username)
    failing = {"now": True}
    seen = []

    def receive(sender, event, **_):
        if failing["now"]:
            raise RuntimeError("not dealt with")
        seen.append(event.user_id)

    integration_event.connect(receive)
    try:
        with pytest.raises(RuntimeError):
            run("token_broker_events", "--once")
        failing["now"] = False
        run("token_broker_events", "--once")
    finally:
        integration_event.disconnect(receive)
    assert seen == [user.username]


def test_migrations_are_complete():
    assert run("makemigrations", "--check", "--dry-run")[2] is None


