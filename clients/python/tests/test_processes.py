"""Threads share a client, and a child process uses it after a fork, while threads of the parent use it too."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from token_broker_client import transports

from conftest import connect, make_client, new_user

shared = None
"""The client that the children inherit."""


def read(user_id):
    assert shared is not None
    return [(shared.get_token(user_id).user_id, shared.get_integration(user_id)["user_id"]) for _ in range(4)]


@pytest.mark.parametrize(
    "make", [transports.StandardTransport, transports.RequestsTransport, transports.HttpxTransport]
)
def test_children_and_threads_of_the_parent_get_their_own_answers(client, make):
    global shared
    parent, child = new_user(), new_user()
    for user_id in (parent, child):
        connect(client, user_id)
    shared = make_client(transport=make(), cache_seconds=0)
    read(parent)
    stopped, failures = threading.Event(), list[Exception]()

    def keep_reading():
        try:
            while not stopped.is_set():
                assert set(read(parent)) == {(parent, parent)}
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=keep_reading) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        # The children are forked while the threads have connections open, and locks.
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
            for found in pool.map(read, [child] * 4, timeout=60):
                assert set(found) == {(child, child)}
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
        shared = None
    assert failures == []


def test_threads_that_refresh_together_get_the_same_later_token(connected):
    client = make_client()
    token = client.get_token(connected)
    with ThreadPoolExecutor(16) as pool:
        later = list(pool.map(lambda _: client.refresh(token), range(16)))
    assert len({found.generation for found in later}) == 1 and later[0].generation > token.generation
