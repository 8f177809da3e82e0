"""Cut-over, import and events of the Django app, against the real broker."""

import io
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

import token_broker_client as tb
from token_broker_client.django import conf, tokens
from token_broker_client.django.models import EventCursor
from token_broker_client.django.signals import integration_event

from conftest import connect, make_client, new_user, refresh_token
from megdocs.models import Oauth2Integration


def old_token(user):
    return f"old-token-of-{user.username}"


def test_one_setting_moves_reads_to_the_broker_and_back(user):
    connect(make_client(), user.username)
    right = conf.values()
    with override_settings(TOKEN_BROKER={**right, "READ_FROM": "old", "OLD_TOKEN": old_token}):
        assert tokens.get_token(user) == f"old-token-of-{user.username}"
        with override_settings(TOKEN_BROKER={**right, "READ_FROM": "broker", "OLD_TOKEN": old_token}):
            assert tokens.get_token(user) == make_client().get_token(user.username).access_token
        assert tokens.get_token(user).startswith("old-token")


def test_work_is_done_once_more_with_a_later_token(user, fake):
    fake.connect(user.username)
    seen = []

    def work(token):
        seen.append(token)
        if len(seen) == 1:
            raise PermissionError
        return "done"

    assert tokens.with_token(user, work, lambda error: isinstance(error, PermissionError)) == "done"
    assert seen[0] != seen[1]


def run(command, *args):
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(command, *args, stdout=out, stderr=err)
        failed = None
    except CommandError as error:
        failed = str(error)
    return out.getvalue(), err.getvalue(), failed


def test_the_old_table_moves_over_and_every_token_is_proved(monkeypatch):
    Oauth2Integration.objects.all().delete()
    slept = []
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.time.sleep", slept.append)
    users = [get_user_model().objects.create_user(username=new_user()) for _ in range(4)]
    updated = timezone.now() - timedelta(minutes=30)
    good, bare, dead, broken = users
    for user, fields in (
        (
            good,
            {
                "refresh_token": refresh_token(),
                "access_token": "an-access-token-of-the-old-table",
                "expires_at": updated + timedelta(hours=1),
            },
        ),
        (bare, {"refresh_token": refresh_token()}),
        (dead, {"refresh_token": "this-refresh-token-is-long-dead"}),
        (broken, {"refresh_token": ""}),
    ):
        Oauth2Integration.objects.create(user=user, updated_at=updated, **fields)

    out, err, failed = run("token_broker_import")
    assert "Dry run" in out and "imported 3, unchanged 0, skipped 0, invalid 1" in out and failed
    assert make_client().integration(good.username) is None

    out, err, failed = run("token_broker_import", "--apply", "--prove", "120")
    assert f"user {broken.username}: invalid: refresh_token" in err
    assert f"user {dead.username}: must reconnect" in err
    assert "Proved at Microsoft: 2 work, 1 must reconnect, 0 could not be tried" in out
    assert slept == [0.5] * 3
    assert make_client().get_token(bare.username).account["username"] == "jane@contoso.com"

    out, _, _ = run("token_broker_import", "--apply")
    assert "imported 0, unchanged" in out or "skipped" in out
    assert "imported 0" in out
    for text in (out, err):
        assert "long-dead" not in text and "an-access-token" not in text


def test_a_run_that_was_interrupted_before_proving_is_proved_by_the_next(user, monkeypatch):
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.time.sleep", lambda _: None)
    Oauth2Integration.objects.all().delete()
    Oauth2Integration.objects.create(
        user=user, updated_at=timezone.now() - timedelta(minutes=30), refresh_token=refresh_token()
    )
    run("token_broker_import", "--apply")
    out, _, _ = run("token_broker_import", "--apply", "--prove", "120")
    assert "unchanged 1" in out and "Proved at Microsoft: 1 work" in out


def test_who_disconnects_while_the_import_runs_is_left_out(monkeypatch):
    Oauth2Integration.objects.all().delete()
    users = [get_user_model().objects.create_user(username=new_user()) for _ in range(4)]
    for user in users:
        Oauth2Integration.objects.create(
            user=user, updated_at=timezone.now() - timedelta(minutes=30), refresh_token=refresh_token()
        )
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.BATCH", 2)
    client = make_client()
    whole = client.import_rows
    sent = []

    def import_rows(rows, **options):
        if not sent:
            # At both, the first in the page under way, the second in one that is still to be read.
            for user in (users[0], users[3]):
                tokens.disconnect(user)
                Oauth2Integration.objects.filter(user=user).delete()
        sent.extend(row["user_id"] for row in rows)
        return whole(rows, **options)

    monkeypatch.setattr(client, "import_rows", import_rows)
    with conf.using(client):
        out, err, _ = run("token_broker_import", "--apply")
    assert sent == [user.username for user in users[:3]]
    assert "disconnected_since" in err and "imported 2, unchanged 0, skipped 1" in out
    assert [client.integration(user.username) is None for user in users] == [True, False, False, True]


def test_a_mistyped_column_is_named_before_anything_is_sent(fake):
    given = conf.values()["IMPORT"]
    for change, named in (
        ({"MODEL": "megdocs.Nothing"}, ["MODEL megdocs.Nothing"]),
        (
            {"FIELDS": {**given["FIELDS"], "refresh_token": "refresh_tokn"}},
            ["refresh_token: megdocs.Oauth2Integration has no column refresh_tokn"],
        ),
        ({"FIELDS": {**given["FIELDS"], "user_id": "user__nmae"}}, ["user_id: auth.User has no column nmae"]),
        (
            {"FIELDS": {"user_id": "user_id", "refresh_token": "no.where", "token": "x"}},
            ["know token", "needs updated_at", "no.where cannot"],
        ),
    ):
        with (
            override_settings(TOKEN_BROKER={**conf.values(), "IMPORT": {**given, **change}}),
            conf.using(fake.client()),
        ):
            failed = run("token_broker_import", "--apply")[2]
        assert all(name in failed for name in named), failed
    assert fake.requests == []


def test_the_events_command_sends_a_signal_for_each_and_goes_on_where_it_was(user):
    seen = []

    def receive(sender, event, **_):
        seen.append(event)

    integration_event.connect(receive)
    try:
        run("token_broker_events", "--once")
        assert isinstance(seen[0], tb.Resync)
        seen.clear()
        connect(make_client(), user.username)
        run("token_broker_events", "--once")
        assert [(event.user_id, event.type) for event in seen] == [(user.username, "connected")]
        seen.clear()
        run("token_broker_events", "--once")
        assert seen == []
    finally:
        integration_event.disconnect(receive)
    assert EventCursor.objects.count() == 1


def test_an_event_whose_receiver_failed_comes_again(user):
    run("token_broker_events", "--once")
    connect(make_client(), user.username)
    failing = {"now": True}
    seen = []

    def receive(sender, event, **_):
        if failing["now"]:
            raise RuntimeError("not dealt with")
        seen.append(event.user_id)

    integration_event.connect(receive)
    try:
        with pytest.raises(RuntimeError):
            run("token_broker_events", "--once")
        failing["now"] = False
        run("token_broker_events", "--once")
    finally:
        integration_event.disconnect(receive)
    assert seen == [user.username]


def test_migrations_are_complete():
    assert run("makemigrations", "--check", "--dry-run")[2] is None
