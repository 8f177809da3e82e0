"""Answers that are no answers of a broker, with ``verify=False``: each is a BrokerError."""

from typing import Any

import pytest

import token_broker_client as tb
from token_broker_client.messages import Response

SKEW = b'{"code": "clock_skew"}'


def client(response: Response, **options: Any) -> tb.Client:
    class Answering:
        def send(self, request: Any, timeout_seconds: float) -> Response:
            return response

    key = tb.HmacKey("megdocs-1", "A" * 43)
    return tb.Client("http://broker.internal", key, transport=Answering(), sleep=lambda _: None, **options)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT", "1", "\u20ac" * 50])
def test_a_clock_skew_with_a_date_that_cannot_be_read_is_a_broker_error(date: str) -> None:
    with pytest.raises(tb.BrokerError):
        client(Response(401, (("date", date),), SKEW), verify=False).get_token("42")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b"null", b"{}", b"\xff", b'{"user_id": "42"}'])
def test_a_successful_answer_that_is_none_is_a_broker_error(body: bytes) -> None:
    with pytest.raises(tb.UntrustedAnswer):
        client(Response(200, (), body), verify=False).get_token("42")


def test_an_unsigned_429_is_rate_limited() -> None:
    with pytest.raises(tb.RateLimited):
        client(Response(429, (), b"{}")).get_token("42")
