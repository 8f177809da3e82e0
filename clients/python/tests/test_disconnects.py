"""Disconnects that a restore of the broker's database undoes are repeated; later connections stay."""

from datetime import datetime, timedelta, timezone

import pytest
from test_events import Memory, import_users

import token_broker_client as tb
from token_broker_client.disconnects import newer, utc_text
from token_broker_client.testing import FakeBroker

from conftest import make_client, new_user


class Start:
    """When the test began: records of the client have the real time."""

    at = datetime.now(timezone.utc)


@pytest.fixture(autouse=True)
def start():
    Start.at = datetime.now(timezone.utc)


def at(seconds):
    return utc_text(Start.at + timedelta(seconds=seconds))


@pytest.fixture()
def store(tmp_path):
    return tb.FileDisconnects(str(tmp_path / "disconnects"))


def read_all(client, cursor):
    return list(tb.Events(client, cursor, wait_seconds=0))


def test_after_a_restore_known_disconnects_are_repeated_before_the_list_and_later_connections_stay(store):
    broker = FakeBroker()
    client = broker.client(disconnects=store)
    for user in ("undone", "later", "never"):
        broker.connect(user)
    restored = dict(broker.users)
    client.disconnect("undone")
    client.disconnect("later")
    broker.connect("later")
    # The restore brings back who had disconnected.
    broker.users = {**restored, "later": broker.users["later"]}
    broker.fail("cursor_expired", 410)
    events = read_all(client, Memory("before-the-restore"))
    assert [type(event) for event in events] == [tb.Resync]
    assert [integration["user_id"] for integration in events[0].integrations] == ["later", "never"]


def test_a_repeat_that_fails_in_the_middle_goes_on_where_it_was(store):
    broker = FakeBroker()
    client = broker.client(disconnects=store, sleep=lambda seconds: None)
    for number in range(5):
        broker.connect(f"u{number}")
        client.disconnect(f"u{number}")
        broker.connect(f"u{number}")
        broker.users[f"u{number}"]["connected_at"] = at(-60)
    broker.requests.clear()
    broker.fail("database_unavailable", 503, times=2)
    events = iter(tb.Events(client, Memory(), wait_seconds=25, sleep=lambda seconds: None))
    assert isinstance(next(events), tb.Resync)
    assert broker.users == {}
    assert sum(request.startswith("DELETE") for request in broker.requests) == 7, "5, and 2 that failed"


def test_a_disconnect_whose_event_is_missing_is_repeated_without_a_resync(store):
    broker = FakeBroker()
    client = broker.client(disconnects=store)
    cursor = Memory()
    read_all(client, cursor)
    broker.connect("42")
    before = dict(broker.users)
    client.disconnect("42")
    # A failover loses the disconnect with its event. The cursor is older, so it is still good.
    broker.users = before
    broker._events.pop()
    assert [event.type for event in read_all(client, cursor)] == ["connected"]
    assert broker.users == {}
    broker.requests.clear()
    read_all(client, cursor)
    assert broker.requests == ["GET /events"], "once"


def test_a_disconnect_whose_event_comes_is_not_repeated(store):
    broker = FakeBroker()
    client = broker.client(disconnects=store)
    cursor = Memory()
    read_all(client, cursor)
    broker.connect("42")
    client.disconnect("42")
    broker._events[-1]["at"] = at(0)
    broker.requests.clear()
    assert [event.type for event in read_all(client, cursor)] == ["connected", "disconnected"]
    assert broker.requests == ["GET /events"]
    assert list(store.load()) == [tb.Disconnect("42", at(0), True)]


def test_a_disconnect_whose_event_is_read_before_its_answer_comes_is_not_repeated(store):
    broker = FakeBroker()
    client = broker.client(disconnects=store)
    cursor = Memory()
    read_all(client, cursor)
    broker.connect("42")
    broker._event("disconnected", "42")
    broker._events[-1]["at"] = at(-1)
    read_all(client, cursor)
    # Another process read the event; only now does the answer come to the one that sent the disconnect.
    client.disconnect("42")
    broker._events.pop()
    broker.requests.clear()
    read_all(client, cursor)
    assert broker.requests == ["GET /events"]
    assert list(store.load()) == [tb.Disconnect("42", at(-1), True)]


def test_a_disconnect_that_failed_is_not_recorded(store):
    broker = FakeBroker()
    client = broker.client(disconnects=store)
    broker.fail("caller_forbidden", 403)
    with pytest.raises(tb.CallerForbidden):
        client.disconnect("42")
    assert list(store.load()) == []


def test_the_last_disconnect_of_a_user_is_kept():
    def event(seconds):
        return tb.Disconnect("42", at(seconds), True)

    def sent(seconds):
        return tb.Disconnect("42", at(seconds), False)

    assert newer(event(0), event(1)) == event(1)
    assert newer(event(1), event(0)) == event(1), "events that come again"
    assert newer(event(0), sent(15)) == event(0), "its event was read before the answer came"
    assert newer(event(0), sent(-5)) == event(0), "and the clock of this machine is behind"
    assert newer(event(0), sent(16)) == sent(16), "a later disconnect"
    assert newer(sent(0), sent(1)) == sent(1)
    assert newer(sent(1), event(0)) == event(0), "its event"
    assert newer(sent(100), event(0)) == sent(100), "the event of an earlier disconnect"


def test_the_file_forgets_what_is_older_than_any_backup_and_does_not_grow(tmp_path):
    path = tmp_path / "disconnects"
    store = tb.FileDisconnects(str(path), keep_days=30)
    for seconds in range(300):
        store.record(tb.Disconnect("42", at(seconds), True))
    store.record(tb.Disconnect("old", at(-31 * 86_400), True))
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"user_id": "torn')
    assert list(store.load()) == [tb.Disconnect("42", at(299), True)]
    assert len(path.read_text().splitlines()) == 1
    store.record(tb.Disconnect("43", at(0), False))
    assert {disconnect.user_id for disconnect in store.load()} == {"42", "43"}


def test_the_broker_takes_the_times_of_its_own_events(client, store):
    user = new_user()
    reader = make_client(disconnects=store)
    cursor = Memory(reader.list_integrations(limit=1).events_cursor)
    import_users(client, [user])
    client.disconnect(user)
    assert [event.type for event in read_all(reader, cursor)] == ["imported", "disconnected"]
    (known,) = store.load()
    assert known.is_confirmed
    reader.disconnect(user, connected_before=known.at)
    assert read_all(reader, cursor) == [], "nothing had been undone, so nothing happens"
