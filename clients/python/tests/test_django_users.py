"""Users who are deleted, deactivated or disconnect, also while the broker is away, and other processes of the site."""

import asyncio
import io

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import transaction
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from django.utils import timezone
from test_django import come_back, press_connect

import token_broker_client as tb
from token_broker_client.django import conf, tokens
from token_broker_client.django.decorators import microsoft_required
from token_broker_client.django.models import Connection, Disconnect, EventCursor

from conftest import Back, new_user

User = get_user_model()


def read_events():
    call_command("token_broker_events", "--once", stdout=io.StringIO())


def make_users(fake, count):
    users = [User.objects.create_user(username=new_user()) for _ in range(count)]
    for user in users:
        fake.connect(user.username)
    return users


@pytest.fixture(autouse=True)
def nothing_of_earlier_tests():
    Disconnect.objects.all().delete()
    EventCursor.objects.all().delete()


def settings_with(**changes):
    return override_settings(TOKEN_BROKER={**conf.get_settings(), **changes})


# ---- Deleted ----


def test_users_who_are_deleted_while_the_broker_is_away_are_disconnected_later(fake, caplog):
    users = make_users(fake, 3)
    fake.stop()
    User.objects.filter(pk__in=[user.pk for user in users]).delete()
    assert not User.objects.filter(pk__in=[user.pk for user in users]).exists() and len(fake.users) == 3
    assert caplog.text.count("a disconnect is sent later") == 3
    fake.start()
    read_events()
    assert fake.users == {} and not Disconnect.objects.filter(is_confirmed=False).exists()


def test_a_deletion_that_is_rolled_back_disconnects_nobody(fake):
    [user] = make_users(fake, 1)
    with pytest.raises(RuntimeError), transaction.atomic():
        User.objects.get(pk=user.pk).delete()
        raise RuntimeError
    assert list(fake.users) == [user.username] and not Disconnect.objects.exists()
    fake.requests.clear()
    with transaction.atomic():
        User.objects.get(pk=user.pk).delete()
        assert fake.requests == [], "nothing is sent before the commit"
    assert fake.users == {}


def test_a_user_who_connects_again_before_the_late_disconnect_stays_connected(fake):
    [user] = make_users(fake, 1)
    fake.stop()
    assert tokens.disconnect(user) is False
    fake.start()
    fake.connect(user.username)
    read_events()
    assert list(fake.users) == [user.username]


def test_a_user_who_is_deleted_through_a_proxy_model_is_disconnected(user, fake):
    class Doctor(get_user_model()):  # type: ignore[misc]
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


def test_with_keep_a_deleted_or_deactivated_user_stays_connected(fake):
    one, two = make_users(fake, 2)
    with settings_with(ON_DELETE="keep", ON_DEACTIVATE="keep"), conf.use_fake(fake):
        one.delete()
        two.is_active = False
        two.save()
    assert len(fake.users) == 2


# ---- Deactivated ----


def test_a_user_who_is_deactivated_is_disconnected_once(fake):
    [user] = make_users(fake, 1)
    user.last_login = timezone.now()
    user.save(update_fields=["last_login"])
    user.save()
    assert list(fake.users) == [user.username]
    user.is_active = False
    user.save()
    assert fake.users == {}
    fake.requests.clear()
    user.save()
    assert fake.requests == []


def test_users_who_are_deactivated_in_bulk_are_disconnected(fake):
    users = make_users(fake, 4)
    changed = User.objects.filter(pk__in=[user.pk for user in users], is_active=True)
    changed.filter(pk=users[0].pk).update(is_active=False)
    assert len(fake.users) == 4, "Django sends no signal"
    assert tokens.disconnect_all(users[:1]) == 1 and len(fake.users) == 3
    fake.stop()
    assert tokens.deactivate_all(changed) == 3 and not changed.all().exists() and len(fake.users) == 3
    fake.start()
    read_events()
    assert fake.users == {}
    with settings_with(ON_DEACTIVATE="keep"), conf.use_fake(fake):
        [other] = make_users(fake, 1)
        assert tokens.deactivate_all(User.objects.filter(pk=other.pk)) == 1 and len(fake.users) == 1


# ---- Merged ----


def connected_here(fake, count):
    users = make_users(fake, count)
    read_events()
    return users


def test_a_merged_user_is_disconnected_when_the_merge_is_committed(fake):
    goes, stays = connected_here(fake, 2)
    fake.stop()
    with transaction.atomic():
        assert tokens.merge(goes, stays) is False, "the other is connected too"
        goes.delete()
    assert set(fake.users) == {f"{goes.username}", stays.username} and Disconnect.objects.exists()
    fake.start()
    read_events()
    assert list(fake.users) == [stays.username]


def test_a_merge_that_is_rolled_back_disconnects_nobody(fake):
    goes, stays = connected_here(fake, 2)
    with pytest.raises(RuntimeError), transaction.atomic():
        tokens.merge(goes, stays)
        raise RuntimeError
    assert len(fake.users) == 2 and not Disconnect.objects.exists()


def test_a_merge_says_that_the_user_who_stays_must_connect(fake):
    [goes] = connected_here(fake, 1)
    [stays] = [User.objects.create_user(username=new_user())]
    assert tokens.merge(goes, stays) is True and fake.users == {}
    assert tokens.merge(goes, stays) is False, "nobody is connected"
    with pytest.raises(tb.NotConnected):
        tokens.get_token(stays)


def test_a_merge_of_users_who_are_one_for_the_broker_ends_nothing(fake):
    goes, stays = connected_here(fake, 2)
    with settings_with(USER_ID_FUNCTION=lambda user: stays.username), conf.use_fake(fake):
        assert tokens.merge(goes, stays) is False
    assert len(fake.users) == 2


def test_with_keep_a_merged_user_stays_connected_until_they_are_deleted(fake):
    goes, stays = connected_here(fake, 2)
    with settings_with(ON_MERGE="keep"), conf.use_fake(fake):
        tokens.merge(goes, stays)
        assert len(fake.users) == 2
        # A tool that merges users changes the foreign keys of the one who goes.
        Connection.objects.filter(user=goes).update(user=stays)
        goes_id = goes.username
        goes.delete()
    assert list(fake.users) == [stays.username] and not Connection.objects.filter(pk=goes_id).exists()


# ---- Several processes ----


def in_a_request(call):
    request_started.send(sender=None)
    try:
        return call()
    finally:
        request_finished.send(sender=None)


@pytest.fixture()
def other_process(fake):
    """A client as another process of the site has it, with its own memory."""
    with conf.use_fake(fake):
        return conf.get_client()


def test_after_another_account_was_connected_no_process_hands_out_the_old_token(browser, user, fake, other_process):
    fake.connect(user.username, "omar@contoso.com")
    assert in_a_request(lambda: other_process.get_token(user.username)).account["username"] == "omar@contoso.com"
    # Disconnected at the broker's page, which this site does not know.
    fake.disconnect(user.username)
    press_connect(browser, next="/documents")
    session = next(reversed(fake.sessions))
    come_back(browser, Back(session, fake.come_back(session)))
    # The broker goes away before the other process has asked again.
    fake.stop()
    with pytest.raises(tb.BrokerUnreachable):
        in_a_request(lambda: other_process.get_token(user.username))
    fake.start()
    assert in_a_request(lambda: other_process.get_token(user.username)).account["username"] == "jane@contoso.com"


def test_after_a_disconnect_no_process_hands_out_a_token_in_memory_while_the_broker_is_away(user, fake, other_process):
    fake.connect(user.username)
    in_a_request(lambda: other_process.get_token(user.username))
    fake.stop()
    assert tokens.disconnect(user) is False
    with pytest.raises(tb.BrokerUnreachable):
        in_a_request(lambda: other_process.get_token(user.username))


def test_after_a_disconnect_at_the_brokers_page_the_next_request_gets_no_token(user, fake, other_process):
    fake.connect(user.username)
    for client in (conf.get_client(), other_process):
        in_a_request(lambda client=client: client.get_token(user.username))
    fake.disconnect(user.username)
    for client in (conf.get_client(), other_process):
        with pytest.raises(tb.NotConnected):
            in_a_request(lambda client=client: client.get_token(user.username))


def test_a_request_asks_for_a_token_once(user, fake):
    fake.connect(user.username)

    def twice():
        fake.requests.clear()
        return tokens.get_token(user), tokens.get_token(user)

    in_a_request(twice)
    assert len(fake.requests) == 1
    twice()
    assert len(fake.requests) == 2, "outside of a request each call asks"


def test_a_good_token_in_memory_is_used_while_the_broker_is_away(user, fake, other_process):
    fake.connect(user.username)
    Disconnect.objects.create(user_id=user.username, at="2026-01-01T00:00:00Z", is_confirmed=True)
    token = in_a_request(lambda: other_process.get_token(user.username))
    fake.stop()
    assert in_a_request(lambda: other_process.get_token(user.username)).access_token == token.access_token


# ---- The old table ----


def old_token(user):
    return "old-token"


def no_old_row(user):
    return apps.get_model("megdocs.Oauth2Integration").objects.get(pk=0).access_token


def test_back_in_the_move_does_not_revive_who_disconnected_since(user, fake):
    rows = apps.get_model("megdocs.Oauth2Integration").objects
    row = rows.create(user=user, refresh_token="x", updated_at=timezone.now())
    with settings_with(READ_FROM="old", OLD_TOKEN_FUNCTION=old_token), conf.use_fake(fake):
        assert tokens.get_access_token(user) == "old-token"
        tokens.disconnect(user)
        with pytest.raises(tb.NotConnected):
            tokens.get_access_token(user)
        with pytest.raises(tb.NotConnected):
            tokens.with_token(user, lambda token: token, lambda error: False)
        row.updated_at = timezone.now()
        row.save()
        assert tokens.get_access_token(user) == "old-token", "connected at the old place later"


def test_a_user_without_a_row_in_the_old_table_is_not_connected(user, fake):
    for function in (no_old_row, lambda user: None, lambda user: ""):
        with settings_with(READ_FROM="old", OLD_TOKEN_FUNCTION=function), conf.use_fake(fake):
            for somebody in (user, AnonymousUser()):
                with pytest.raises(tb.NotConnected):
                    tokens.get_access_token(somebody)


# ---- Asynchronous views ----


def test_the_decorator_works_for_a_coroutine_function(user, fake):
    @microsoft_required
    async def view(request):
        async def work(token):
            return token

        return HttpResponse(await tokens.awith_token(request.user, work, lambda error: False))

    request = RequestFactory().get("/documents")
    request.user = user
    refused = asyncio.run(view(request))
    assert refused.status_code == 302 and refused["location"].startswith("/microsoft/connect")
    fake.connect(user.username)
    assert asyncio.run(view(request)).content.startswith(b"fake-token-")


# ---- Without an id that the broker accepts ----


@pytest.mark.parametrize("returned", ["", "jane@contoso.com", None])
@pytest.mark.parametrize("on", ["disconnect", "keep"])
def test_a_user_without_usable_id_is_deleted_deactivated_and_shown_like_one_who_never_connected(
    browser, user, fake, caplog, monkeypatch, returned, on
):
    monkeypatch.setattr(conf, "_warned", False)
    with settings_with(USER_ID_FUNCTION=lambda user: returned, ON_DELETE=on, ON_DEACTIVATE=on):
        page = browser.get("/")
        assert page.status_code == 200 and "Connected as" not in page.content.decode()
        browser.post("/logout")
        user.is_active = False
        user.save()
        user.delete()
    assert not User.objects.filter(username=user.username).exists() and fake.requests == []
    assert caplog.text.count("no id that the token broker accepts") == 1 and "jane@" not in caplog.text
