"""What may come over the wire at most."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from token_broker_client import transports
from token_broker_client.messages import Request


class Answers(BaseHTTPRequestHandler):
    """As many bytes as the path says, of which the header may promise more, or nothing."""

    def do_GET(self):
        sent, promised = self.path.strip("/").split("-")
        self.send_response(200)
        if promised:
            self.send_header("content-length", promised)
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


@pytest.mark.parametrize(
    "make", [transports.StandardTransport, transports.RequestsTransport, transports.HttpxTransport]
)
def test_an_answer_that_is_too_large_or_was_cut_off_is_none(make, address, monkeypatch):
    monkeypatch.setattr(transports, "MOST", 1000)

    def get(target):
        return make().send(Request("GET", address, address.partition("//")[2], "http", target, (), None), 5).body

    assert get("/1000-1000") == get("/1000-") == b"a" * 1000
    for target in ("/1001-1001", "/1001-", "/100-1000", "/0-1000"):
        with pytest.raises(transports.NoAnswer):
            get(target)
