"""A broker that hangs or is gone: who waits, for how long, and what is used meanwhile. Time is moved by the tests."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

import token_broker_client as tb
from token_broker_client.breaker import OPEN_SECONDS, PROBE_SECONDS
from token_broker_client.locks import ForkSafeLock
from token_broker_client.testing import FakeBroker
from token_broker_client.transports import TransportError


class Hanging(FakeBroker):
    """``hang()``: from now on each request takes its whole timeout, on the clock of the test."""

    def __init__(self):
        super().__init__()
        self.now, self.waited, self._hangs = 1000.0, [], False
        self.connect("42")

    def hang(self, hangs=True):
        self._hangs = hangs
        self.waited.clear()

    def monotonic(self):
        return self.now

    def client(self, **options):
        clocks = {"monotonic": self.monotonic, "sleep": lambda seconds: None, "breaker_seconds": OPEN_SECONDS}
        return super().client(timeout_seconds=2.0, **{**clocks, **options})

    def send(self, request, timeout_seconds):
        if self._hangs:
            self.waited.append(round(timeout_seconds, 3))
            self.now += timeout_seconds
            raise TransportError("TimeoutError", is_timeout=True)
        return super().send(request, timeout_seconds)


@pytest.fixture()
def broker():
    return Hanging()


@pytest.fixture()
def client(broker):
    return broker.client()


def fails(call):
    with pytest.raises(tb.BrokerUnreachable) as failure:
        call()
    return failure.value


def test_after_a_timeout_calls_fail_at_once_then_one_short_call_tries(broker, client):
    broker.hang()
    fails(lambda: client.get_token("42"))
    assert broker.waited == [2.0]
    for _ in range(20):
        assert 0 < fails(lambda: client.get_token("42")).retry_after <= OPEN_SECONDS
    fails(lambda: client.begin_connect("42"))
    assert broker.waited == [2.0], "nobody else waits"
    broker.now += OPEN_SECONDS
    fails(lambda: client.get_token("42"))
    fails(lambda: client.get_token("42"))
    assert broker.waited == [2.0, PROBE_SECONDS]
    broker.hang(False)
    fails(lambda: client.get_token("42"))
    broker.now += OPEN_SECONDS
    assert client.get_token("42").degraded is None
    assert client.get_integration("42") is not None


def test_while_one_call_tries_the_others_fail_at_once(broker, client):
    broker.hang()
    fails(lambda: client.get_token("42"))
    broker.hang(False)
    broker.now += OPEN_SECONDS
    others: list[tb.BrokerError] = []
    send = broker.send

    def send_slowly(request, timeout_seconds):
        if not others:
            others.append(fails(lambda: client.get_integration("42")))
        return send(request, timeout_seconds)

    broker.send = send_slowly
    assert client.get_token("42").access_token
    assert "not asked" in str(others[0])


def test_a_failure_that_the_broker_reports_does_not_stop_other_calls(broker, client):
    broker.fail("microsoft_unavailable", 503, times=1, retry_after=30)
    with pytest.raises(tb.MicrosoftUnavailable):
        client.get_token("42")
    assert client.get_integration("42") is not None


def test_a_short_timeout_of_a_status_does_not_stop_other_calls(broker, client):
    broker.hang()
    fails(lambda: client.get_integration("42", timeout_seconds=0.2))
    broker.hang(False)
    assert client.get_token("42").degraded is None


def test_a_good_token_in_memory_is_used_after_a_second_and_then_at_once(broker, caplog):
    client = broker.client(cache_seconds=0)
    token = client.get_token("42")
    broker.hang()
    for _ in range(5):
        again = client.get_token("42")
        assert again.access_token == token.access_token and again.degraded == {"reason": "broker_unreachable"}
    assert broker.waited == [1.0]
    lines = [record for record in caplog.records if record.name == "token_broker_client"]
    assert [record.levelname for record in lines] == ["WARNING"] and "broker_unreachable" in lines[0].getMessage()


def test_a_token_in_memory_that_may_not_be_used_is_not_used(broker):
    asked = []

    def may_use_memory(user_id, fetched_at):
        asked.append((user_id, fetched_at))
        return False

    client = broker.client(cache_seconds=0, may_use_memory=may_use_memory, clock=lambda: 5000.0 + broker.now)
    client.get_token("42")
    broker.hang()
    fails(lambda: client.get_token("42"))
    assert asked == [("42", 6000.0)]


def test_a_token_is_handed_out_again_only_within_the_same_request(broker):
    current: str | None = None
    client = broker.client(cache_scope=lambda: current)
    for current, calls in (("one", 1), ("one", 1), ("two", 2), ("two", 2), (None, 3), (None, 4), ("two", 4)):
        client.get_token("42")
        assert len(broker.requests) == calls, current
    current = "three"
    broker.disconnect("42")
    with pytest.raises(tb.NotConnected):
        client.get_token("42")


def test_a_completion_does_not_give_a_hanging_broker_the_time_of_microsoft(broker, client):
    session = client.begin_connect("42")
    handle = broker.come_back(session.id)
    broker.hang()
    fails(lambda: client.complete_connect(session.id, "42", handle))
    assert broker.waited == [2.0]


def test_many_threads_wait_for_one_timeout_at_most(broker, client):
    broker.hang()
    fails(lambda: client.get_token("42"))
    threads = [threading.Thread(target=lambda: fails(lambda: client.get_token("42"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broker.waited == [2.0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_can_use_a_lock_that_a_thread_of_the_parent_held():
    lock = ForkSafeLock()
    with lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            with lock:
                os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def raise_in_child(error):
    raise error


def test_an_error_passes_between_processes():
    error = tb.ReconnectRequired({"reason": "access_revoked", "who_acts": "user", "request_id": "r-1"}, 409)
    with ProcessPoolExecutor(1) as pool, pytest.raises(tb.ReconnectRequired) as raised:
        pool.submit(raise_in_child, error).result()
    for again in (raised.value, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (again.reason, again.status, again.request_id) == ("access_revoked", 409, "r-1")


SERVER = """
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_stopped_process_holds_one_call_and_the_next_fail_at_once():
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            key = tb.HmacKey("fake", "A" * 43)
            client = tb.Client(f"http://127.0.0.1:{port}", key, timeout_seconds=0.6)
            server.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            fails(lambda: client.get_token("42"))
            first = time.monotonic() - began
            failures = [fails(lambda: client.get_token("42")) for _ in range(50)]
            assert first >= 0.3 and all("not asked" in failure.detail for failure in failures)
        finally:
            server.kill()
