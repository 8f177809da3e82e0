"""The token cache, retries and timeouts, with a fake broker and a clock that the test moves."""

import copy
import os
import pickle

import pytest

import token_broker_client as tb
from token_broker_client.testing import FakeBroker


class Time:
    def __init__(self):
        self.now, self.slept = 1000.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture()
def time_():
    return Time()


@pytest.fixture()
def broker():
    broker = FakeBroker()
    broker.connect("42")
    return broker


@pytest.fixture()
def client(broker, time_):
    return broker.client(cache_seconds=60, monotonic=time_.monotonic, sleep=time_.sleep)


def test_a_token_is_cached_for_sixty_seconds_and_no_longer(broker, client, time_):
    first = client.get_token("42")
    time_.now += 59
    assert client.get_token("42").access_token == first.access_token and client.get_token("42").expires_in == 3541
    assert len(broker.requests) == 1
    time_.now += 1
    client.get_token("42")
    assert len(broker.requests) == 2


def test_a_cached_token_with_too_few_seconds_left_is_fetched_again(broker, client, time_):
    client.get_token("42")
    time_.now += 10
    client.get_token("42", min_ttl=3595)
    assert len(broker.requests) == 2


def test_a_valid_cached_token_is_used_while_the_broker_cannot_be_reached(broker, client, time_):
    token = client.get_token("42")
    broker.stop()
    time_.now += 3500
    again = client.get_token("42")
    assert (
        again.access_token == token.access_token
        and again.degraded == {"reason": "broker_unreachable"}
        and again.expires_in == 100
    )
    time_.now += 80
    with pytest.raises(tb.BrokerUnreachable):
        client.get_token("42")


def test_a_user_who_has_disconnected_gets_no_cached_token(broker, client, time_):
    client.get_token("42")
    broker.disconnect("42")
    time_.now += 61
    with pytest.raises(tb.NotConnected):
        client.get_token("42")
    broker.stop()
    with pytest.raises(tb.BrokerUnreachable):
        client.get_token("42")


def test_after_a_refresh_the_old_token_is_never_handed_out(broker, client):
    token = client.get_token("42")
    later = client.refresh(token)
    assert later.generation > token.generation
    assert client.get_token("42").access_token == later.access_token
    assert client.refresh(token).access_token == later.access_token, (
        "a second caller with the old token needs no refresh"
    )
    assert len(broker.requests) == 2


def test_a_token_that_graph_refused_is_not_handed_out_while_the_broker_cannot_be_reached(broker, client):
    token = client.get_token("42")
    broker.stop()
    with pytest.raises(tb.BrokerUnreachable):
        client.refresh(token)
    with pytest.raises(tb.BrokerUnreachable):
        client.get_token("42")


def test_a_call_waits_once_for_a_short_retry_after_and_uses_a_new_nonce(broker, client, time_):
    nonces = []
    send = broker.send

    def record(request, timeout_seconds):
        nonces.append(dict(request.headers)["signature-input"])
        return send(request, timeout_seconds)

    broker.send = record
    broker.fail("database_unavailable", 503, retry_after=2)
    assert client.get_token("42") and time_.slept == [2]
    assert len(nonces) == 2 and nonces[0] != nonces[1]
    broker.fail("database_unavailable", 503, times=2, retry_after=1)
    with pytest.raises(tb.DatabaseUnavailable):
        client.get_integration("42")


def test_a_long_retry_after_raises_without_waiting(broker, client, time_):
    broker.fail("microsoft_unavailable", 503, retry_after=30)
    with pytest.raises(tb.MicrosoftUnavailable) as refused:
        client.get_token("42")
    assert refused.value.retry_after == 30 and time_.slept == []


def test_after_429_nothing_is_sent_before_retry_after(broker, client, time_):
    broker.fail("rate_limited", 429, retry_after=20)
    for _ in range(2):
        with pytest.raises(tb.RateLimited):
            client.get_token("42")
    assert len(broker.requests) == 1
    time_.now += 20
    assert client.get_token("42")


def test_a_call_never_waits_past_its_timeout(broker, client, time_):
    broker.fail("database_unavailable", 503, retry_after=2)
    with pytest.raises(tb.DatabaseUnavailable):
        client.get_token("42", timeout_seconds=1.5)
    assert time_.slept == []


def test_an_unknown_code_gets_the_class_of_its_status(broker, client):
    for status, cls in (
        (404, "Missing"),
        (409, "Conflict"),
        (418, "BrokerError"),
        (503, "Unavailable"),
        (507, "ServerError"),
    ):
        broker.fail("new_code_of_a_later_broker", status, times=2)
        with pytest.raises(tb.BrokerError) as refused:
            client.get_integration("42")
        assert type(refused.value).__name__ == cls and refused.value.code == "new_code_of_a_later_broker"
        broker._failures.clear()


def test_texts_contain_no_secrets(broker, client):
    token = client.get_token("42")
    for text in (repr(token), repr(broker.key), repr(tb.HmacKey("k", "B" * 42 + "A"))):
        assert "fake-token" not in text and "BBBB" not in text
    with pytest.raises(ValueError) as refused:
        tb.HmacKey("k", "not base64url!")
    assert "not base64url!" not in str(refused.value)


def test_an_invalid_user_id_raises_value_error(client):
    for user_id in ("", "..", ".", "a/b", "a b", "ä", "x" * 129):
        with pytest.raises(ValueError):
            client.get_token(user_id)


def test_an_error_can_be_pickled_and_copied(broker, client):
    broker.fail("reconnect_required", 409, reason="access_revoked", who_acts="user", request_id="r-1")
    with pytest.raises(tb.ReconnectRequired) as refused:
        client.get_token("42")
    unanswered = tb.BrokerUnreachable({"detail": "timeout"})
    for error in (refused.value, unanswered, tb.NotConnected(), tb.ClockSkew(status=401)):
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(again) is type(error) and again.__dict__ == error.__dict__ and str(again) == str(error)


def test_the_version_is_the_one_of_pyproject():
    with open(os.path.join(os.path.dirname(__file__), "..", "pyproject.toml"), encoding="utf-8") as file:
        assert f'\nversion = "{tb.__version__}"\n' in file.read()


def test_a_frozen_user_gets_nothing_from_the_cache_once_the_broker_has_said_so(broker, client, time_):
    client.get_token("42")
    broker.freeze("42")
    time_.now += 61
    with pytest.raises(tb.Frozen) as raised:
        client.get_token("42")
    assert raised.value.status == 403 and raised.value.who_acts == "ops" and not raised.value.user_can_connect
    # The broker cannot be reached now: a token that is still valid would come from the cache.
    broker.stop()
    with pytest.raises(tb.BrokerUnreachable):
        client.get_token("42")


def test_the_events_make_the_client_forget_tokens_of_frozen_users(broker, client):
    class Memory:
        cursor = None

        def load(self):
            return self.cursor

        def save(self, cursor):
            self.cursor = cursor

    store = Memory()
    assert [type(event).__name__ for event in tb.Events(client, store, wait_seconds=0)] == ["Resync"]
    client.get_token("42")
    broker.freeze("42")
    assert [getattr(event, "type", None) for event in tb.Events(client, store, wait_seconds=0)] == ["frozen"]
    with pytest.raises(tb.Frozen):
        client.get_token("42")
    broker.unfreeze("42")
    assert client.get_token("42").generation == 1


def test_a_freeze_of_a_tenant_or_of_the_own_key_forgets_all_that_it_concerns(broker, client):
    broker.connect("43")
    tenant = client.get_token("42").account["tenant_id"]

    def calls_after(freeze):
        client.get_token("42"), client.get_token("43")
        client.forget_frozen({"type": "frozen", "freeze": freeze})
        before = len(broker.requests)
        client.get_token("42"), client.get_token("43")
        return len(broker.requests) - before

    assert calls_after({"scope": "tenant", "value": tenant.upper()}) == 2
    assert calls_after({"scope": "tenant", "value": "another"}) == 0
    assert calls_after({"scope": "caller_key", "value": "fake"}) == 2
    assert calls_after({"scope": "caller_key", "value": "another"}) == 0
    assert calls_after({"scope": "user", "value": "42"}) == 1
    assert calls_after({"scope": "a later scope", "value": "x"}) == 2
