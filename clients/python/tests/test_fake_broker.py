"""The fake broker answers as the real one does, for the whole API that the client uses."""

import pytest

import token_broker_client as tb
from token_broker_client import answers
from token_broker_client.testing import FakeBroker

from conftest import make_client, new_user, refresh_token, through_microsoft


@pytest.fixture()
def broker():
    broker = FakeBroker()
    broker.connect("42")
    return broker


def fits(answer, kind):
    """Whether the members are those of the TypedDict."""
    assert kind.__required_keys__ <= set(answer) <= kind.__required_keys__ | kind.__optional_keys__, (kind, answer)


def walk(client, user_id, come_back):
    """Each answer that is a dictionary."""
    start = client.list_integrations(limit=1).events_cursor
    session = client.begin_connect(user_id)
    fits(client.get_connect_session(session.id), answers.ConnectSessionState)
    completion = client.complete_connect(session.id, user_id, come_back(session))
    assert completion.result == "connected"
    fits(completion.account, answers.Account)
    ended = client.get_connect_session(session.id)
    fits(ended, answers.ConnectSessionState)
    fits(ended["outcome"], answers.Outcome)
    integration = client.get_integration(user_id)
    fits(integration, answers.Integration)
    assert client.list_integrations(limit=500).integrations
    page = client.read_events(start)
    assert [event["type"] for event in page.events] == ["connected"]
    fits(page.events[0], answers.RawEvent)
    token = client.get_token(user_id)
    assert token.account == completion.account and client.refresh(token).generation > token.generation
    rows = [
        {"user_id": user_id, "refresh_token": refresh_token(), "updated_at": "2026-01-01T00:00:00Z", "scopes": "drive"},
        {"user_id": f"{user_id}-empty", "refresh_token": "", "updated_at": "2026-01-01T00:00:00Z"},
        {"refresh_token": refresh_token(), "updated_at": "2026-01-01T00:00:00Z"},
    ]
    results = client.import_rows(rows, dry_run=True)
    for result in results:
        fits(result, answers.ImportResult)
    assert [(result["result"], result.get("reason")) for result in results] == [
        ("skipped", "no_needed_scope"),
        ("skipped", "no_refresh_token"),
        ("invalid", None),
    ]
    assert "/microsoft/connected" in client.get_connect_urls().completion
    client.disconnect(user_id)
    assert client.get_integration(user_id) is None


def test_the_real_broker_and_the_fake_one_give_the_same_answers(broker):
    walk(make_client(), new_user(), lambda session: through_microsoft(session.url).handle)
    walk(broker.client(), "43", lambda session: broker.come_back(session.id))


def test_a_disconnect_in_the_middle_of_a_test_is_seen_at_once(broker):
    client = broker.client()
    client.get_token("42")
    broker.disconnect("42")
    with pytest.raises(tb.NotConnected):
        client.get_token("42")


def test_a_user_who_cancels_does_not_come_back(broker):
    client = broker.client()
    session = client.begin_connect("43")
    broker.cancel(session.id)
    outcome = client.get_connect_session(session.id)["outcome"]
    assert (outcome["result"], outcome["code"], outcome["reason"]) == ("refused", "connect_refused", "not_approved")
    with pytest.raises(tb.ConnectRefused):
        client.complete_connect(session.id, "43", "A" * 43)
    assert client.get_integration("43") is None


def test_another_account_is_a_mismatch_unless_a_switch_is_allowed(broker):
    client = broker.client()
    session = client.begin_connect("42")
    with pytest.raises(tb.AccountMismatch) as refused:
        client.complete_connect(session.id, "42", broker.come_back(session.id, "sam@contoso.com"))
    assert refused.value.next and refused.value.reason == "other_account"
    assert client.get_token("42").account["username"] == "jane@contoso.com"
    session = client.begin_connect("42", allow_account_switch=True)
    done = client.complete_connect(session.id, "42", broker.come_back(session.id, "sam@contoso.com"))
    assert (done.result, done.account["username"]) == ("reconnected", "sam@contoso.com")


def test_a_degraded_token_says_so_and_cannot_be_refreshed(broker):
    client = broker.client()
    broker.degrade("42")
    token = client.get_token("42")
    assert token.degraded is not None and token.degraded["reason"] == "microsoft_unreachable"
    with pytest.raises(tb.MicrosoftUnavailable):
        client.refresh(token)
    broker.recover("42")
    assert client.get_token("42").degraded is None and client.refresh(token).generation > token.generation
    assert [event["type"] for event in client.read_events().events] == ["connected"]


def test_missing_scopes_are_in_the_token_and_the_integration(broker):
    broker.connect("43", missing_scopes=["Files.ReadWrite.All"])
    client = broker.client()
    token, integration = client.get_token("43"), client.get_integration("43")
    assert token.missing_scopes == integration["missing_scopes"] == ["Files.ReadWrite.All"]
    assert token.scope == "User.Read"


@pytest.mark.parametrize("scope", ["user", "tenant", "caller_key"])
def test_each_scope_can_be_frozen_and_its_events_come(broker, scope):
    client = broker.client()
    value = {"user": "42", "tenant": client.get_token("42").account["tenant_id"], "caller_key": "fake"}[scope]
    broker.freeze(value, scope)
    with pytest.raises(tb.Frozen) as frozen:
        client.get_token("42")
    assert frozen.value.reason == f"{scope}_frozen"
    broker.unfreeze(value, scope)
    client.get_token("42")
    events = client.read_events().events
    assert [(event["type"], event.get("freeze", {}).get("scope")) for event in events] == [
        ("connected", None),
        ("frozen", scope),
        ("unfrozen", scope),
    ]


def test_events_and_lists_come_in_pages(broker):
    for number in range(3):
        broker.connect(f"u{number}")
    client = broker.client()
    first = client.read_events(limit=3)
    assert len(first.events) == 3 and first.more
    rest = client.read_events(first.cursor, limit=3)
    assert [event["user_id"] for event in rest.events] == ["u2"] and not rest.more
    page = client.list_integrations(limit=3)
    assert page.next == "u1"
    last = client.list_integrations(page.next, limit=3)
    assert [found["user_id"] for found in last.integrations] == ["u2"] and last.next is None


def test_an_import_stores_rows_once_and_keeps_what_is_newer(broker):
    client = broker.client()

    def sent(user_id="43", at="2026-01-01T00:00:00Z", **more):
        row = {"user_id": user_id, "refresh_token": "a" * 40, "updated_at": at, "scopes": "User.Read", **more}
        result = client.import_rows([row])[0]
        return result.get("reason") or result["result"]

    assert [sent(), sent(), sent(at="2026-02-01T00:00:00Z"), sent()] == [
        "imported",
        "unchanged",
        "imported",
        "newer_stored",
    ]
    assert client.get_token("43").missing_scopes == ["Files.ReadWrite.All"]
    assert sent("42") == "connected_through_broker"
    client.disconnect("43")
    assert sent() == "disconnected_since"


def test_a_broker_that_was_stopped_answers_after_start_and_reset_forgets_everybody(broker):
    client = broker.client()
    broker.stop()
    with pytest.raises(tb.BrokerUnreachable):
        client.get_token("42")
    broker.start()
    client.get_token("42")
    broker.reset()
    assert broker.users == {} and broker.requests == []


def test_all_requests_say_which_client_sent_them(broker):
    seen = []
    send = broker.send

    def spy(request, timeout_seconds):
        seen.append(dict(request.headers)["user-agent"])
        return send(request, timeout_seconds)

    broker.send = spy
    client = broker.client()
    client.get_token("42")
    client.begin_connect("42")
    assert seen == [f"token-broker-client/{tb.__version__}"] * 2


def test_a_cursor_of_another_broker_has_expired(broker):
    client = broker.client()
    for cursor in ("MTIzNDU2Nzg5MDEyMzQ1Ng.42", "fake2", "fake-1", "fake1x"):
        with pytest.raises(tb.CursorExpired):
            client._call("GET", f"/events?after={cursor}")
    assert client.read_events("fake1").events == []
    # What a project's database has from the real broker.
    assert feed_once(client, "MTIzNDU2Nzg5MDEyMzQ1Ng.42") == ["Resync"]


def feed_once(client, cursor):
    class Stored:
        def load(self):
            return cursor

        def save(self, cursor):
            pass

    return [type(event).__name__ for event in tb.Events(client, Stored(), wait_seconds=0)]
