"""The client against the real broker."""

import json
import time
import urllib.request

import pytest

import token_broker_client as tb
from token_broker_client.errors import BY_CODE
from token_broker_client.messages import Request, Response
from token_broker_client.signing import sign_request
from token_broker_client.testing import FakeBroker
from token_broker_client.transports import HttpxTransport, RequestsTransport, StandardTransport

from conftest import WORLD, connect, make_client, new_user, post, refresh_token, through_microsoft


@pytest.mark.parametrize("transport", [StandardTransport, RequestsTransport, HttpxTransport])
@pytest.mark.parametrize("caller", ["hmac", "ed25519"])
def test_connect_token_refresh_disconnect(caller, transport):
    client, user_id = make_client(caller, transport=transport()), new_user()
    with pytest.raises(tb.NotConnected) as refused:
        client.get_token(user_id)
    assert refused.value.status == 404 and refused.value.request_id
    done = connect(client, user_id)
    assert done.result == "connected" and done.account["username"] == "jane@contoso.com" and "/result/" in done.next
    token = client.get_token(user_id)
    assert token.access_token not in repr(token)
    assert client.get_integration(user_id)["status"] == "active"
    later = client.refresh(token)
    assert later.generation > token.generation and later.access_token != token.access_token
    client.end_browser_sessions(user_id)
    client.disconnect(user_id)
    assert client.get_integration(user_id) is None


def test_what_a_token_is_for_is_signed_and_a_cached_token_is_for_the_same(connected):
    sent = []

    class Recording(StandardTransport):
        def send(self, request, timeout_seconds):
            sent.append(dict(request.headers))
            return super().send(request, timeout_seconds)

    client = make_client(transport=Recording())
    trace = f"00-{'1' * 32}-{'2' * 16}-01"
    token = client.get_token(connected, context="document:4711", traceparent=trace)
    assert sent[-1]["broker-context"] == "document:4711" and '"broker-context"' in sent[-1]["signature-input"]
    assert sent[-1]["traceparent"] == trace
    calls = len(sent)
    client.get_token(connected, context="document:4711")
    client.get_token(connected)
    assert len(sent) == calls
    client.get_token(connected, context="document:4712")
    assert len(sent) == calls + 1 and sent[-1]["broker-context"] == "document:4712"
    client.refresh(token, context="document:4712")
    assert sent[-1]["broker-context"] == "document:4712" and '"content-digest"' in sent[-1]["signature-input"]
    for wrong in ("", "a b", "x" * 257, "\u00fc", "a\n"):
        with pytest.raises(ValueError):
            client.get_token(connected, context=wrong)


def test_the_current_span_of_opentelemetry_is_sent(connected, monkeypatch):
    from token_broker_client import client as module

    sent = []

    class Recording(StandardTransport):
        def send(self, request, timeout_seconds):
            sent.append(dict(request.headers))
            return super().send(request, timeout_seconds)

    trace = f"00-{'a' * 32}-{'b' * 16}-00"
    monkeypatch.setattr(module, "current_traceparent", lambda: trace)
    make_client(transport=Recording()).get_token(connected)
    assert sent[-1]["traceparent"] == trace
    monkeypatch.setattr(module, "current_traceparent", lambda: "rubbish")
    make_client(transport=Recording()).get_token(connected)
    assert "traceparent" not in sent[-1]


def test_every_failure_code_of_the_broker_has_its_class():
    with urllib.request.urlopen(WORLD["broker"] + "/openapi.json", timeout=10) as answer:
        document = json.loads(answer.read())
    codes = document["components"]["schemas"]["Problem"]["properties"]["code"]
    if "$ref" in codes:
        codes = document["components"]["schemas"][codes["$ref"].rsplit("/", 1)[1]]
    assert set(codes["enum"]) == set(BY_CODE)


def test_a_wrong_clock_is_corrected_by_the_clock_of_the_broker(connected):
    for wrong in (-3600, -20, 20, 3600):
        assert make_client(clock=lambda wrong=wrong: time.time() + wrong).get_token(connected).access_token


def test_a_clock_that_cannot_be_corrected_raises_clock_skew(connected):
    times = iter([time.time() + 1000 * n for n in range(1, 100)])
    with pytest.raises(tb.ClockSkew):
        make_client(clock=lambda: next(times)).get_token(connected)


def test_a_wrong_secret_is_an_invalid_signature():
    client = tb.Client(WORLD["broker"], tb.HmacKey("nobody", "A" * 43), authority=WORLD["authority"])
    with pytest.raises(tb.InvalidSignature):
        client.get_token("42")


def test_a_missing_permission_raises_caller_forbidden():
    with pytest.raises(tb.CallerForbidden):
        make_client("reader").disconnect("42")


class Recording:
    """Keeps the requests and the answers."""

    def __init__(self):
        self.requests, self.answers, self._transport = [], [], StandardTransport()

    def send(self, request, timeout):
        self.requests.append(request)
        self.answers.append(self._transport.send(request, timeout))
        return self.answers[-1]


def test_mutated_and_repeated_requests_are_refused_by_the_broker(connected):
    transport = Recording()
    make_client(transport=transport).get_token(connected)
    original = transport.requests[0]
    key = tb.HmacKey(WORLD["callers"]["hmac"]["key_id"], WORLD["callers"]["hmac"]["secret"])

    def status(**changes):
        # Signed again, so that the change is the only possible reason for a refusal.
        signed = sign_request(
            Request(original.method, original.address, original.authority, original.scheme, original.target),
            key,
            time.time(),
        )
        fields = {**signed.__dict__, **{name: value for name, value in changes.items() if name != "header"}}
        if "header" in changes:
            name, change = changes["header"]
            fields["headers"] = tuple((n, change(v) if n == name else v) for n, v in signed.headers)
        return StandardTransport().send(Request(**fields), 5).status

    assert status() == 200
    assert StandardTransport().send(original, 5).status == 401, "the same nonce twice"
    assert status(target=original.target.replace("300", "301")) == 401
    assert status(target=original.target + "&min_ttl=1") == 401
    assert status(method="DELETE") == 401
    assert status(authority="other.internal") == 401
    signed_length = len(dict(original.headers)["signature-input"])
    for at in range(0, signed_length, 5):
        assert (
            status(header=("signature-input", lambda v, at=at: v[:at] + ("B" if v[at] != "B" else "C") + v[at + 1 :]))
            == 401
        )
    for at in range(6, 50, 7):
        assert (
            status(header=("signature", lambda v, at=at: v[:at] + ("B" if v[at] != "B" else "C") + v[at + 1 :])) == 401
        )


class Mixing:
    """A proxy or cache that returns the answer to an earlier request."""

    def __init__(self):
        self._transport, self.before = StandardTransport(), None

    def send(self, request, timeout):
        answer = self._transport.send(request, timeout)
        self.before, answer = answer, self.before or answer
        return answer


def test_the_answer_to_another_users_request_is_not_used(client, connected):
    other = new_user()
    connect(client, other, "omar@contoso.com")
    mixed = make_client(transport=Mixing(), cache_seconds=0)
    assert mixed.get_token(connected).user_id == connected
    for user_id in (other, connected):
        with pytest.raises(tb.UntrustedAnswer):
            mixed.get_token(user_id)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: Response(r.status, r.headers, r.body.replace(b'"generation":', b'"generation":1')),
        lambda r: Response(r.status, [(n, v) for n, v in r.headers if n.lower() != "signature"], r.body),
        lambda r: Response(203, r.headers, r.body),
    ],
)
def test_an_altered_answer_is_not_used(connected, change):
    class Altering:
        def send(self, request, timeout):
            return change(StandardTransport().send(request, timeout))

    with pytest.raises(tb.UntrustedAnswer):
        make_client(transport=Altering()).get_token(connected)
    if b"generation" in change(Response(200, [], b'"generation":')).body:
        assert make_client(transport=Altering(), verify=False).get_token(connected)


def test_reconnect_required_says_why_and_who_acts(client):
    user_id = new_user()
    connect(client, user_id, "lena@fabrikam.com")
    post(WORLD["entra"] + "/control/revoke-sessions", {"account": "lena@fabrikam.com"})
    post(WORLD["controls"], {"action": "expire", "userId": user_id})
    with pytest.raises(tb.ReconnectRequired) as refused:
        make_client().get_token(user_id)
    assert (refused.value.reason, refused.value.who_acts) == ("access_revoked", "user")
    assert refused.value.microsoft["aadsts"] == 50173


def test_a_completion_for_another_user_is_refused_and_has_a_next_page(client):
    victim, attacker = new_user(), new_user()
    session = client.begin_connect(attacker)
    back = through_microsoft(session.url)
    with pytest.raises(tb.ConnectRefused) as refused:
        client.complete_connect(session.id, victim, back.handle)
    assert refused.value.reason == "not_the_same_user" and "/result/" in (refused.value.next or "")
    assert client.get_integration(victim) is None and client.get_integration(attacker) is None


def test_without_the_handle_of_the_browser_nothing_is_completed_or_ended(client):
    user_id = new_user()
    session = client.begin_connect(user_id)
    guess = "A" * 43
    with pytest.raises(tb.ConnectRefused) as early:
        client.complete_connect(session.id, user_id, guess)
    back = through_microsoft(session.url)
    with pytest.raises(tb.ConnectRefused) as guessed:
        client.complete_connect(session.id, user_id, guess)
    for refused in (early, guessed):
        assert (refused.value.reason, refused.value.next) == ("not_back_yet", None)
    client.end_connect(session.id, guess)
    assert client.get_connect_session(session.id)["status"] == "received"
    for malformed in ("", "short", guess + "A", guess[:-1] + "/"):
        with pytest.raises(ValueError):
            client.complete_connect(session.id, user_id, malformed)
        with pytest.raises(ValueError):
            client.end_connect(session.id, malformed)
    assert client.complete_connect(session.id, user_id, back.handle).result == "connected"
    assert client.complete_connect(session.id, user_id, back.handle).result == "connected", "a repetition"


def test_an_attempt_that_was_ended_cannot_be_completed(client):
    user_id = new_user()
    session = client.begin_connect(user_id)
    back = through_microsoft(session.url)
    for _ in range(2):
        client.end_connect(session.id, back.handle)
    with pytest.raises(tb.ConnectRefused) as refused:
        client.complete_connect(session.id, user_id, back.handle)
    assert refused.value.reason == "not_the_same_user"
    assert client.get_integration(user_id) is None
    with pytest.raises(tb.BrokerError) as unknown:
        make_client("ed25519").end_connect(session.id, back.handle)
    assert unknown.value.status == 404, "of another caller"


def test_the_fake_broker_needs_the_handle_too():
    fake = FakeBroker()
    client = fake.client()
    session = client.begin_connect("42")
    with pytest.raises(tb.ConnectRefused) as early:
        client.complete_connect(session.id, "42", "A" * 43)
    assert early.value.reason == "not_back_yet"
    handle = fake.come_back(session.id)
    with pytest.raises(tb.ConnectRefused):
        client.complete_connect(session.id, "42", "A" * 43)
    assert [client.complete_connect(session.id, "42", handle).result for _ in range(2)] == ["connected"] * 2
    other = client.begin_connect("43")
    handle = fake.come_back(other.id)
    client.end_connect(other.id, "A" * 43)
    assert client.get_connect_session(other.id)["status"] == "received"
    client.end_connect(other.id, handle)
    with pytest.raises(tb.ConnectRefused) as ended:
        client.complete_connect(other.id, "43", handle)
    assert ended.value.reason == "not_the_same_user" and "43" not in fake.users


def test_rows_are_imported_once(client):
    user_id = new_user()
    row = {
        "user_id": user_id,
        "refresh_token": refresh_token(),
        "updated_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60)),
    }
    assert client.import_rows([row], dry_run=True)[0]["result"] == "imported"
    assert client.get_integration(user_id) is None
    assert [client.import_rows([row])[0]["result"] for _ in range(2)] == ["imported", "unchanged"]
    assert client.get_token(user_id).account["username"] == "jane@contoso.com"
