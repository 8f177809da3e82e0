"""Events: an iterator that stores its position and loses no event, also if the reader is killed."""

import signal
import subprocess
import sys
import time

import token_broker_client as tb

from conftest import WORLD, make_client, new_user

READER = """
import json, os, signal, sys
from token_broker_client import Client, Event, Events, FileCursor, HmacKey

with open(os.environ["TOKEN_BROKER_TESTS"], encoding="utf-8") as file:
    world = json.load(file)
key = world["callers"]["hmac"]
client = Client(world["broker"], HmacKey(key["key_id"], key["secret"]), authority=world["authority"])
death = sys.argv[2:]
def reached(*point):
    if [str(part) for part in point] == death:
        os.kill(os.getpid(), signal.SIGKILL)

class Cursor(FileCursor):
    saves = 0
    def save(self, cursor):
        self.saves += 1
        reached("before save", self.saves)
        super().save(cursor)
        reached("after save", self.saves)

events = Events(client, Cursor(sys.argv[1]), wait_seconds=0, limit=7)
for number, event in enumerate(events, 1):
    reached("before event", number)
    print(f"{event.id} {event.user_id}" if isinstance(event, Event) else "resync", flush=True)
    reached("after event", number)
"""
DEATHS = (
    ("after event", 1), ("after event", 5), ("before save", 1), ("after save", 1), ("before event", 8),
    ("before save", 2), ("after event", 7),
)  # fmt: skip
"""Points at which a reader kills itself, a new one each time. A page has 7 events. A test that kills it from outside
comes too late on a busy machine: the reader is at its end then."""


class Memory:
    def __init__(self, cursor=None):
        self.cursor = cursor

    def load(self):
        return self.cursor

    def save(self, cursor):
        self.cursor = cursor


def import_users(client, users):
    updated = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    client.import_rows(
        [
            {"user_id": user, "refresh_token": f"refresh-token-of-{user}-for-tests", "updated_at": updated}
            for user in users
        ]
    )


def test_a_reader_without_a_cursor_gets_all_integrations_and_then_the_events(client):
    users = [new_user() for _ in range(3)]
    import_users(client, users)
    store, seen = Memory(), []
    for event in tb.Events(client, store, wait_seconds=0, limit=2):
        if isinstance(event, tb.Resync):
            listed = {integration["user_id"] for integration in event.integrations}
            client.disconnect(users[0])
        else:
            seen.append((event.user_id, event.type))
    assert set(users) <= listed
    assert seen == [(users[0], "disconnected")]
    assert list(tb.Events(client, store, wait_seconds=0)) == []


def test_each_receiver_of_a_resync_gets_all_integrations(client):
    users = [new_user() for _ in range(3)]
    import_users(client, users)
    resync = next(iter(tb.Events(client, Memory(), wait_seconds=0, limit=2)))
    assert isinstance(resync, tb.Resync)
    for _ in range(2):
        assert set(users) <= {integration["user_id"] for integration in resync.integrations}


def test_a_cursor_of_another_database_leads_to_a_resync(client):
    foreign = "MDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAwLjEuMTc5NTMzNzIwNg"
    first = next(iter(tb.Events(client, Memory(foreign), wait_seconds=0)))
    assert isinstance(first, tb.Resync)


def test_an_event_that_was_not_handled_comes_again(client):
    store = Memory(client.list_integrations(limit=1).events_cursor)
    users = [new_user() for _ in range(3)]
    import_users(client, users)
    next(iter(tb.Events(client, store, wait_seconds=0)))
    assert [event.user_id for event in tb.Events(client, store, wait_seconds=0) if isinstance(event, tb.Event)] == users


def test_a_wait_ends_with_the_first_event(client):
    cursor = client.list_integrations(limit=1).events_cursor
    user = new_user()
    import_users(client, [user])
    began = time.monotonic()
    assert [event["user_id"] for event in client.read_events(cursor, wait_seconds=25).events] == [user]
    assert time.monotonic() - began < 20


def test_a_reader_that_is_killed_at_any_point_loses_no_event(client, tmp_path):
    cursor = tmp_path / "cursor"
    cursor.write_text(client.list_integrations(limit=1).events_cursor)
    users = [new_user() for _ in range(40)]
    import_users(client, users)
    seen = []
    for death in (*DEATHS, ()):
        ran = subprocess.run(
            [sys.executable, "-c", READER, str(cursor), *map(str, death)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == (-signal.SIGKILL if death else 0), (death, ran.stderr)
        seen += [line.split()[1] for line in ran.stdout.splitlines()]
    assert list(dict.fromkeys(seen)) == users, "each at least once, the first delivery in order"
    assert WORLD["broker"] and make_client().read_events(cursor.read_text()).events == []
