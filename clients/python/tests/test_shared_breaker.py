"""A broker that hangs under several processes, and one of which only a part hangs."""

import errno
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from test_breaker import SERVER, Hanging, fails

import token_broker_client as tb
from token_broker_client.breaker import OPEN_SECONDS, PROBE_SECONDS, Breaker, shared_time
from token_broker_client.calls import SILENT
from token_broker_client.transports import TransportError


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def in_child(work):
    """What ``work`` returns, at most 255, in a process that was forked."""
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_one_process_waits_and_the_others_do_not():
    broker = Hanging()

    def waits():
        broker.waited.clear()
        client = broker.client(breaker_store=shared_time("megdocs"))
        fails(lambda: client.get_token("42"))
        return len(broker.waited) * 100 + round(sum(broker.waited) * 10)

    broker.hang()
    assert in_child(waits) == 120, "one call, 2 seconds"
    broker.now += 2.0
    assert [in_child(waits) for _ in range(3)] == [0, 0, 0]
    broker.now += OPEN_SECONDS
    assert in_child(waits) == 100 + round(PROBE_SECONDS * 10)
    broker.now += PROBE_SECONDS
    assert [in_child(waits) for _ in range(3)] == [0, 0, 0]
    # One process finds out that the broker answers again.
    broker.hang(False)
    broker.now += OPEN_SECONDS
    client = broker.client(breaker_store=shared_time("megdocs"))
    assert client.get_token("42").access_token
    assert in_child(lambda: int(broker.client(breaker_store=shared_time("megdocs")).get_token("42").generation)) > 0


def test_only_one_of_many_processes_tries():
    now = 1000.0
    one = Breaker(lambda: now, store=shared_time("megdocs"))
    one.fail(is_timeout=True)
    now += OPEN_SECONDS
    results = [in_child(lambda: ("closed", "open", "probe").index(one.enter())) for _ in range(4)]
    assert sorted(results) == [1, 1, 1, 2]


def test_a_time_of_before_the_machine_started_opens_nothing():
    Breaker(lambda: 500_000.0, store=shared_time("megdocs")).fail(is_timeout=True)
    assert Breaker(lambda: 10.0, store=shared_time("megdocs")).enter() == "closed"


class Machine:
    """Processes whose breakers share a store."""

    def __init__(self, *names):
        self.now = 1000.0
        self._breakers = {name: Breaker(lambda: self.now, store=shared_time("megdocs")) for name in names}

    def __getitem__(self, name):
        return self._breakers[name]


@pytest.mark.parametrize("error", [ConnectionRefusedError(), ssl.SSLError(), socket.gaierror(), OSError(24, "files")])
def test_a_process_that_fails_at_once_stops_no_other(error):
    machine = Machine("healthy")

    class Broken(Hanging):
        def send(self, request, timeout_seconds):
            raise TransportError.of(error)

    client = Broken().client(breaker_store=shared_time("megdocs"))
    assert "not asked" not in fails(lambda: client.get_token("42")).detail
    assert "not asked" in fails(lambda: client.get_token("42")).detail
    assert machine["healthy"].enter() == "closed"


def test_a_process_whose_calls_alone_time_out_stops_the_others_once():
    machine = Machine("broken", "healthy")
    machine["broken"].fail(is_timeout=True)
    assert machine["healthy"].enter() == "open"
    machine.now += OPEN_SECONDS
    assert machine["broken"].enter() == "probe"
    assert machine["healthy"].enter() == "open", "while it tries"
    machine.now += PROBE_SECONDS
    machine["broken"].fail(is_timeout=True)
    assert machine["healthy"].enter() == "probe", "at once"
    machine["healthy"].succeed()
    for _ in range(10):
        assert machine["broken"].enter() == "open"
        machine.now += OPEN_SECONDS
        assert machine["broken"].enter() == "probe"
        assert machine["healthy"].enter() == "closed", "also while it tries"
        machine["broken"].fail(is_timeout=True)
        assert machine["healthy"].enter() == "closed"
    # It is well again, and now the broker hangs.
    machine["broken"].succeed()
    machine["broken"].fail(is_timeout=True)
    assert machine["healthy"].enter() == "open"


def test_a_broken_process_that_tries_for_all_gives_way_to_the_others():
    machine = Machine("one", "refused", "healthy")
    machine["one"].fail(is_timeout=True)
    machine.now += OPEN_SECONDS
    assert machine["refused"].enter() == "probe"
    machine["refused"].fail(is_timeout=False)
    assert machine["healthy"].enter() == "probe"
    # It dies.
    machine.now += OPEN_SECONDS
    assert machine["one"].enter() == "probe"


def test_in_a_long_outage_nobody_waits_longer_than_the_short_call_and_few_try():
    names = ("one", "two", "three", "four")
    machine, tried = Machine(*names), []
    machine["one"].fail(is_timeout=True)
    for _ in range(60):
        machine.now += 1.0
        for name in names:
            state = machine[name].enter()
            assert state != "closed"
            if state == "probe":
                tried.append(machine.now)
                machine.now += PROBE_SECONDS
                machine[name].fail(is_timeout=True)
    assert 60 / OPEN_SECONDS / 2 <= len(tried) <= 60 / OPEN_SECONDS * 2, tried
    machine.now += OPEN_SECONDS
    assert machine["four"].enter() == "probe"
    machine["four"].succeed()
    assert Breaker(lambda: machine.now, store=shared_time("megdocs")).enter() == "closed"


def test_the_file_has_its_blocks_so_that_a_full_disk_ends_no_process(own_folder):
    shared_time("megdocs")
    (file,) = (own_folder / f"token-broker-client-{os.getuid()}").iterdir()
    assert file.stat().st_size == 8 and file.stat().st_blocks > 0


@pytest.mark.parametrize("has_fallocate", [True, False])
def test_on_a_full_disk_each_process_has_its_own(monkeypatch, has_fallocate):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    if has_fallocate:
        monkeypatch.setattr("os.posix_fallocate", full)
    else:
        monkeypatch.delattr("os.posix_fallocate")
        monkeypatch.setattr("os.pwrite", full)
    machine = Machine("one", "two")
    machine["one"].fail(is_timeout=True)
    assert machine["one"].enter() == "open" and machine["two"].enter() == "closed"


@pytest.mark.parametrize("place", ["missing", "open to others", "not a folder"])
def test_where_nothing_can_be_shared_each_process_has_its_own(own_folder, monkeypatch, place):
    folder = own_folder / f"token-broker-client-{os.getuid()}"
    if place == "missing":
        (own_folder / "file").write_text("")
        monkeypatch.setattr("tempfile.tempdir", str(own_folder / "file"))
    elif place == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        folder.write_text("")
    broker = Breaker(lambda: 1000.0, store=shared_time("megdocs"))
    broker.fail(is_timeout=True)
    assert broker.enter() == "open"
    assert Breaker(lambda: 1000.0, store=shared_time("megdocs")).enter() == "closed"


class Partly(Hanging):
    """Calls for tokens are not answered, or only after another call. On the clock of the machine."""

    def __init__(self):
        super().__init__()
        self.released, self.all_hang, self.releases = threading.Event(), False, False

    def client(self, **options):
        return super().client(**{"monotonic": time.monotonic, **options})

    def send(self, request, timeout_seconds):
        if self.all_hang or request.target.startswith("/tokens/"):
            self.waited.append(round(timeout_seconds, 2))
            if not self.released.wait(timeout_seconds):
                raise TransportError("TimeoutError", is_timeout=True)
        elif self.releases:
            self.released.set()
        return super().send(request, timeout_seconds)


def test_a_broker_that_answers_other_calls_gets_the_whole_timeout():
    broker = Partly()
    broker.releases = True
    token = broker.client().get_token("42", timeout_seconds=2)
    assert token.degraded is None
    assert sorted(broker.requests) == ["GET /integrations/token-broker-check", "GET /tokens/42"]


def test_one_answer_too_late_stops_no_other_call():
    broker = Partly()
    client = broker.client()
    failure = fails(lambda: client.get_token("42", timeout_seconds=0.6))
    assert failure.detail == "TimeoutError"
    assert client.get_integration("42") is not None


def test_a_broker_that_hangs_is_found_out_in_half_of_the_timeout():
    broker = Partly()
    broker.all_hang = True
    client = broker.client()
    began = time.monotonic()
    failure = fails(lambda: client.get_token("42", timeout_seconds=2))
    assert failure.detail == SILENT and time.monotonic() - began >= 1
    assert sorted(broker.waited) == [0.5, 2.0], "no third call"
    assert "not asked" in fails(lambda: client.get_integration("42")).detail
    broker.released.set()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_forked_workers_of_a_stopped_process_wait_once():
    """As gunicorn with --preload: the parent has used the client."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            client = tb.Client(
                url,
                tb.HmacKey("fake", "A" * 43),
                timeout_seconds=0.6,
                breaker_store=shared_time(url),
                sleep=lambda _: None,
            )
            fails(lambda: client.get_integration("42", timeout_seconds=0.4))
            server.send_signal(signal.SIGSTOP)
            details = [
                in_child(lambda: int("not asked" in fails(lambda: client.get_token("42")).detail)) for _ in range(4)
            ]
            assert details == [0, 1, 1, 1]
        finally:
            server.kill()
