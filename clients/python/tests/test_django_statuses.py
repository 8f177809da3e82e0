"""The statuses of connections: kept by the events and by what this site does, read by the status tag."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.template import Context, Template
from django.test import RequestFactory, override_settings
from django.utils import timezone

import token_broker_client as tb
from token_broker_client.disconnects import utc_text
from token_broker_client.django import conf, feed, signals, statuses, tokens
from token_broker_client.django.models import ConnectAttempt, Connection, ConnectionEvent, EventCursor
from token_broker_client.testing import FakeBroker

from conftest import new_user
from support_case import MICROSOFT, make_person, row_of

NAMES = ("connected", "disconnected", "needs_reconnect", "recovered", "frozen")


pytestmark = pytest.mark.usefixtures("no_connections")


@pytest.fixture()
def person(fake):
    return make_person(fake)


@pytest.fixture()
def heard():
    """The signals that were sent, with the user and whether an event came with them."""
    found, receivers = [], []
    for name in NAMES:

        def receive(sender, connection, user, event, name=name, **_):
            found.append((name, getattr(user, "username", None), event is not None))

        receivers.append((name, receive))
        getattr(signals, name).connect(receive)
    yield found
    for name, receive in receivers:
        getattr(signals, name).disconnect(receive)


def status(user):
    request = RequestFactory().get("/documents")
    request.user = user
    context = Context({"request": request})
    Template("{% load token_broker %}{% microsoft_status as microsoft %}").render(context)
    return context["microsoft"]


# ---- Events ----


def test_each_change_is_stored_and_sent_as_a_signal_once(fake, person, heard):
    name = person.username
    fake.require_reconnect(name, "mfa_required", microsoft=MICROSOFT)
    feed.sync()
    row = row_of(person)
    assert (row.state, row.reason, row.who_acts, row.user) == ("reconnect_required", "mfa_required", "user", person)
    assert row.microsoft == MICROSOFT and ConnectionEvent.objects.get().microsoft == MICROSOFT
    for change, signal, state in (
        (lambda: fake.recover(name), "recovered", "connected"),
        (lambda: fake.freeze(name), "frozen", "frozen"),
        (lambda: fake.unfreeze(name), "recovered", "connected"),
        (lambda: fake.disconnect(name), "disconnected", "disconnected"),
        (lambda: fake.connect(name), "connected", "connected"),
    ):
        heard.clear()
        change()
        feed.sync()
        assert heard == [(signal, name, True)] and row_of(person).shown_state == state
    # Delivered again.
    heard.clear()
    EventCursor.objects.update(cursor="fake")
    feed.sync()
    assert [found for found in heard if found[0] == "needs_reconnect"] == []


def test_an_event_whose_receiver_fails_is_stored_when_it_comes_again(fake, person):
    fake.require_reconnect(person.username)

    def fail(**_):
        raise RuntimeError

    signals.needs_reconnect.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            feed.sync()
    finally:
        signals.needs_reconnect.disconnect(fail)
    assert not ConnectionEvent.objects.exists()
    feed.sync()
    assert row_of(person).state == "reconnect_required" and ConnectionEvent.objects.count() == 1


def test_an_expired_cursor_compares_everybody_and_sends_what_has_changed(fake, heard):
    stays, leaves, breaks = (get_user_model().objects.create_user(username=new_user()) for _ in range(3))
    for user in (stays, leaves, breaks):
        fake.connect(user.username)
    feed.sync()
    assert heard == [], "the first list sends none"
    fake.disconnect(leaves.username)
    fake.require_reconnect(breaks.username)
    EventCursor.objects.update(cursor=f"fake{len(fake._events)}")
    fake.fail("cursor_expired", 410)
    feed.sync()
    assert sorted(heard) == [("disconnected", leaves.username, False), ("needs_reconnect", breaks.username, False)]
    assert [row_of(user).state for user in (stays, leaves, breaks)] == [
        "connected", "disconnected", "reconnect_required"
    ]  # fmt: skip


def event(number, kind, user_id="", **members):
    raw: Any = members
    return tb.Event(number, utc_text(timezone.now()), user_id, kind, raw=raw)


def test_a_freeze_of_an_organisation_is_shown_for_each_of_its_users(fake, person, heard):
    tenant = row_of(person).tenant_id
    freeze = {"scope": "tenant", "value": tenant}
    statuses.receive(None, event(90, "frozen", freeze=freeze))
    assert row_of(person).shown_state == "frozen" and heard == [("frozen", None, True)]
    assert status(person).state == "frozen"
    statuses.receive(None, event(91, "unfrozen", freeze=freeze))
    assert row_of(person).shown_state == "connected"


def test_details_that_the_broker_did_not_give_are_asked_for_later(fake, person):
    fake.require_reconnect(person.username, "account_disabled", "tenant_admin", microsoft=MICROSOFT)
    happened = event(90, "reconnect_required", person.username)
    fake.stop()
    statuses.receive(None, tb.Event(90, happened.at, person.username, "reconnect_required", "account_disabled"))
    row = row_of(person)
    assert (row.state, row.reason, row.who_acts, row.checked_at) == (
        "reconnect_required", "account_disabled", "", None
    )  # fmt: skip
    fake.start()
    feed.sync()
    assert (row_of(person).who_acts, row_of(person).microsoft) == ("tenant_admin", MICROSOFT)


def test_a_user_who_is_deleted_leaves_nothing(fake, person):
    fake.require_reconnect(person.username)
    feed.sync()
    name = person.username
    person.delete()
    feed.sync()
    assert name not in fake.users
    assert not Connection.objects.filter(pk=name).exists()
    assert not ConnectionEvent.objects.filter(broker_user_id=name).exists()


def nothing_is_stored_of(name):
    assert not Connection.objects.filter(pk=name).exists()
    assert not ConnectionEvent.objects.filter(broker_user_id=name).exists()
    assert not ConnectAttempt.objects.filter(user_id=name).exists()


@pytest.mark.parametrize("is_away", [False, True])
def test_a_user_who_is_deleted_before_their_event_is_read_leaves_nothing(fake, person, is_away):
    name = person.username
    ConnectAttempt.objects.create(digest=name, login="l", user_id=name, begun_at=timezone.now())
    fake.require_reconnect(name)
    unread = [raw for raw in fake._events if raw["type"] == "reconnect_required"]
    if is_away:
        fake.stop()
    person.delete()
    for raw in unread:
        statuses.receive(None, tb.Event(raw["id"], raw["at"], name, raw["type"], raw.get("reason")))
    nothing_is_stored_of(name)
    fake.start()
    feed.sync()
    nothing_is_stored_of(name)


def test_a_user_who_is_deleted_and_stays_connected_is_not_written_again(fake, person):
    name = person.username
    with override_settings(TOKEN_BROKER={**conf.get_settings(), "ON_DELETE": "keep"}), conf.use_fake(fake):
        person.delete()
        EventCursor.objects.all().delete()
        feed.sync()
    assert name in fake.users
    nothing_is_stored_of(name)


def test_without_a_function_for_it_an_event_of_nobody_who_is_connected_makes_no_row(fake):
    settings = {name: value for name, value in conf.get_settings().items() if name != "FIND_USER_FUNCTION"}
    with override_settings(TOKEN_BROKER=settings), conf.use_fake(fake):
        statuses.receive(None, event(90, "reconnect_required", "gone"))
    nothing_is_stored_of("gone")


def test_without_a_function_for_it_a_user_a_user_is_known_when_they_use_their_connection(fake):
    settings = {name: value for name, value in conf.get_settings().items() if name != "FIND_USER_FUNCTION"}
    with override_settings(TOKEN_BROKER=settings), conf.use_fake(fake):
        user = make_person(fake)
        assert row_of(user).user is None
        tokens.get_token(user)
        assert row_of(user).user == user


# ---- What this site does ----


def test_the_last_read_is_written_at_most_once_an_hour(fake, person):
    tokens.get_token(person)
    first = row_of(person).last_read_at
    assert first is not None
    # Another process reads.
    statuses._reads.clear()
    tokens.with_token(person, lambda token: None, lambda error: False)
    assert row_of(person).last_read_at == first
    statuses._reads.clear()
    Connection.objects.update(last_read_at=first - timedelta(hours=1, minutes=1))
    tokens.get_token(person)
    assert row_of(person).last_read_at >= first


def test_what_a_read_finds_out_is_shown_before_its_event_comes(fake, person):
    fake.require_reconnect(person.username, "blocked_by_policy", "tenant_admin", microsoft=MICROSOFT)
    with pytest.raises(tb.ReconnectRequired):
        tokens.get_token(person)
    row = row_of(person)
    assert (row.state, row.reason, row.who_acts) == ("reconnect_required", "blocked_by_policy", "tenant_admin")
    assert row.microsoft == MICROSOFT and row.last_read_at is None


def test_a_status_that_cannot_be_stored_costs_no_page(fake, person, monkeypatch):
    def fail(*args, **options):
        raise DatabaseError

    monkeypatch.setattr(Connection.objects, "filter", fail)
    with transaction.atomic():
        assert tokens.get_token(person).access_token
        assert get_user_model().objects.filter(pk=person.pk).exists()


# ---- The status tag ----


def test_the_tag_makes_no_call_while_the_events_are_read(fake, person):
    fake.requests.clear()
    found = status(person)
    assert (found.state, found.username) == ("connected", "samira.k@contoso.com") and fake.requests == []
    fake.require_reconnect(person.username, "account_disabled", "tenant_admin")
    feed.sync()
    fake.stop()
    found = status(person)
    assert (found.state, found.who_acts, found.connect_url) == ("reconnect_required", "tenant_admin", "")
    assert found.action_url == "/microsoft/manage"


def test_the_tag_asks_the_broker_if_the_events_are_not_read(fake, person):
    EventCursor.objects.update(read_at=timezone.now() - timedelta(minutes=2))
    fake.disconnect(person.username)
    assert status(person).state == "not_connected"
    # It does not answer: what is known is better than nothing.
    fake.stop()
    assert status(person).state == "connected"


def test_a_user_without_a_row_is_not_connected(fake):
    user = get_user_model().objects.create_user(username=new_user())
    feed.sync()
    fake.requests.clear()
    assert status(user).state == "not_connected" and fake.requests == []
    # Without the events it says nothing that there is no row.
    EventCursor.objects.all().delete()
    fake.connect(user.username)
    assert status(user).state == "connected"


def test_connecting_and_disconnecting_here_are_shown_at_once(fake, person):
    tokens.disconnect(person)
    assert status(person).state == "not_connected"
    statuses.note_connected(person, person.username, {"tenant_id": "t", "username": "new@contoso.com"})
    assert (status(person).state, status(person).username) == ("connected", "new@contoso.com")


def test_a_task_of_celery_or_cron_calls_one_function(person):
    broker = FakeBroker()
    with conf.use_fake(broker):
        EventCursor.objects.all().delete()
        assert feed.sync() == 1, "the list of all"
        assert feed.sync() == 0
        broker.connect(person.username)
        assert feed.sync() == 1
