"""The size limit of answers, and which failures are timeouts."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from token_broker_client import transports
from token_broker_client.messages import Request


class Answers(BaseHTTPRequestHandler):
    """The path says how many bytes are sent, and which content-length is announced, if any."""

    def do_GET(self):
        sent, announced = self.path.strip("/").split("-")
        self.send_response(200)
        if announced:
            self.send_header("content-length", announced)
        self.end_headers()
        self.wfile.write(b"a" * int(sent))

    def log_message(self, *_):
        pass


@pytest.fixture()
def address():
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


each_transport = pytest.mark.parametrize(
    "make", [transports.StandardTransport, transports.RequestsTransport, transports.HttpxTransport]
)


@each_transport
def test_an_answer_that_is_too_large_or_incomplete_raises(make, address, monkeypatch):
    monkeypatch.setattr(transports, "MAX_ANSWER_BYTES", 1000)

    def get(target):
        return make().send(Request("GET", address, address.partition("//")[2], "http", target, (), None), 5).body

    assert get("/1000-1000") == get("/1000-") == b"a" * 1000
    for target in ("/1001-1001", "/1001-", "/100-1000", "/0-1000"):
        with pytest.raises(transports.TransportError):
            get(target)


@each_transport
def test_only_silence_is_a_timeout(make):
    def is_timeout(address):
        with pytest.raises(transports.TransportError) as failure:
            make().send(Request("GET", address, address.partition("//")[2], "http", "/", (), None), 0.2)
        return failure.value.is_timeout

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert not is_timeout(address), "refused"
        silent.listen(1)
        assert is_timeout(address), "it does not answer"
        with socket.create_connection(silent.getsockname()):
            assert is_timeout(address), "the queue is full, so it does not even connect"
    assert not is_timeout("http://nowhere.invalid"), "no such name"
