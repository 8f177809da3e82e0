"""READ_FROM, import and events of the Django app, with the real broker."""

import asyncio
import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.db.models import OuterRef, Subquery
from django.test import override_settings
from django.utils import timezone

import token_broker_client as tb
from token_broker_client.django import conf, tokens
from token_broker_client.django.disconnects import DatabaseDisconnects
from token_broker_client.django.models import Disconnect, EventCursor
from token_broker_client.django.signals import integration_event

from conftest import connect, make_client, new_user, refresh_token
from megdocs.models import Oauth2Integration


def old_token(user):
    return f"old-token-of-{user.username}"


def test_one_setting_moves_reads_to_the_broker_and_back(user):
    connect(make_client(), user.username)
    right = conf.get_settings()
    with override_settings(TOKEN_BROKER={**right, "READ_FROM": "old", "OLD_TOKEN_FUNCTION": old_token}):
        assert tokens.get_access_token(user) == f"old-token-of-{user.username}"
        with override_settings(TOKEN_BROKER={**right, "READ_FROM": "broker", "OLD_TOKEN_FUNCTION": old_token}):
            assert tokens.get_access_token(user) == make_client().get_token(user.username).access_token
        assert tokens.get_access_token(user).startswith("old-token")


def test_with_token_calls_again_with_a_later_token_after_401(user, fake):
    fake.connect(user.username)
    seen = []

    def work(token):
        seen.append(token)
        if len(seen) == 1:
            raise PermissionError
        return "done"

    assert tokens.with_token(user, work, lambda error: isinstance(error, PermissionError)) == "done"
    assert seen[0] != seen[1]


def test_awith_token_does_the_same_for_a_coroutine_and_passes_a_challenge_on(user, fake):
    fake.connect(user.username)
    seen = []

    class Unauthorized(Exception):
        headers = {"WWW-Authenticate": fake.challenge()}

    async def work(token):
        seen.append(token)
        if len(seen) == 1:
            raise Unauthorized
        return "done"

    call = tokens.awith_token(user, work, lambda error: isinstance(error, Unauthorized), context="document:1")
    assert asyncio.run(call) == "done"
    assert seen[0] != seen[1] and len(fake.claims) == 1


def run(command, *args):
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(command, *args, stdout=out, stderr=err)
        failed = None
    except CommandError as error:
        failed = str(error)
    return out.getvalue(), err.getvalue(), failed


def test_the_old_table_is_imported_and_each_token_is_verified(monkeypatch):
    Oauth2Integration.objects.all().delete()
    slept: list[float] = []
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.time.sleep", slept.append)
    users = [get_user_model().objects.create_user(username=new_user()) for _ in range(4)]
    updated = timezone.now() - timedelta(minutes=30)
    good, bare, dead, empty = users
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
        (empty, {"refresh_token": ""}),
    ):
        Oauth2Integration.objects.create(user=user, updated_at=updated, **fields)

    out, err, failed = run("token_broker_import")
    assert "Dry run" in out and "imported 3, unchanged 0, skipped 1, invalid 0, duplicate 0" in out and failed is None
    assert make_client().get_integration(good.username) is None

    out, err, failed = run("token_broker_import", "--apply", "--verify", "120")
    assert f"user {empty.username}: skipped: no_refresh_token" in err
    assert f"user {dead.username}: must reconnect" in err
    assert "Verified at Microsoft: 2 work, 1 must reconnect, 0 could not be tried" in out
    assert slept == [0.5] * 3
    assert make_client().get_token(bare.username).account["username"] == "jane@contoso.com"

    out, _, _ = run("token_broker_import", "--apply")
    assert "imported 0, unchanged" in out or "skipped" in out
    assert "imported 0" in out
    for text in (out, err):
        assert "long-dead" not in text and "an-access-token" not in text


def test_a_run_that_was_interrupted_before_verifying_is_verified_by_the_next(user, monkeypatch):
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.time.sleep", lambda _: None)
    Oauth2Integration.objects.all().delete()
    Oauth2Integration.objects.create(
        user=user, updated_at=timezone.now() - timedelta(minutes=30), refresh_token=refresh_token()
    )
    run("token_broker_import", "--apply")
    out, _, _ = run("token_broker_import", "--apply", "--verify", "120")
    assert "unchanged 1" in out and "Verified at Microsoft: 1 work" in out


def test_a_user_who_disconnects_during_the_import_is_skipped(monkeypatch):
    Oauth2Integration.objects.all().delete()
    users = [get_user_model().objects.create_user(username=new_user()) for _ in range(4)]
    for user in users:
        Oauth2Integration.objects.create(
            user=user, updated_at=timezone.now() - timedelta(minutes=30), refresh_token=refresh_token()
        )
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.BATCH_ROWS", 2)
    monkeypatch.setattr("token_broker_client.django.old_table.PAGE_ROWS", 2)
    client = make_client()
    whole = client.import_rows
    sent: list[str] = []

    def import_rows(rows, dry_run=False):
        if dry_run:
            return whole(rows, dry_run=True)
        if not sent:
            # At both places. The first user is in the current page, the second one in a page that is not yet read.
            for user in (users[0], users[3]):
                tokens.disconnect(user)
                Oauth2Integration.objects.filter(user=user).delete()
        sent.extend(row["user_id"] for row in rows)
        return whole(rows)

    monkeypatch.setattr(client, "import_rows", import_rows)
    with conf.use_client(client):
        out, err, _ = run("token_broker_import", "--apply")
    assert sent == [user.username for user in users[:3]]
    assert "disconnected_since" in err and "imported 2, unchanged 0, skipped 1" in out
    assert [client.get_integration(user.username) is None for user in users] == [True, False, False, True]


def old_row(user, minutes=30, **fields):
    updated = timezone.now() - timedelta(minutes=minutes)
    return Oauth2Integration.objects.create(
        user=user, updated_at=updated, **{"refresh_token": refresh_token(), **fields}
    )


def import_with(**changes):
    given = {name: value for name, value in {**conf.get_settings()["IMPORT"], **changes}.items() if value is not None}
    return override_settings(TOKEN_BROKER={**conf.get_settings(), "IMPORT": given})


def google_row(user, **fields):
    # Newer than the connection at the broker.
    return old_row(
        user, minutes=-2, **{"provider": "google", "scope": "https://www.googleapis.com/auth/drive", **fields}
    )


@pytest.mark.parametrize(
    ("change", "scope", "seen"),
    [
        ({}, "drive", None),
        ({"FILTER": {}}, "drive", "no_needed_scope"),
        ({"FILTER": {}}, "User.Read", "connected_through_broker"),
        ({"FILTER": {}}, "", "connected_through_broker"),
    ],
)
def test_a_newer_row_of_another_provider_does_not_replace_a_connection_of_the_broker(
    user, monkeypatch, change, scope, seen
):
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.time.sleep", lambda _: None)
    Oauth2Integration.objects.all().delete()
    connect(make_client(), user.username)
    before = make_client().get_integration(user.username)
    google_row(user, scope=scope, refresh_token="a-refresh-token-of-google")
    with import_with(**change):
        for options in ((), ("--apply", "--verify", "600")):
            out, err, failed = run("token_broker_import", *options)
            assert failed is None and "imported 0, unchanged 0" in out
            assert seen is None or f"user {user.username}: skipped: {seen}" in err
    assert make_client().get_integration(user.username) == before


def test_rows_that_are_wrong_are_named_before_the_first_one_is_stored(monkeypatch):
    Oauth2Integration.objects.all().delete()
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.BATCH_ROWS", 1)
    good, foreign = (get_user_model().objects.create_user(username=new_user()) for _ in range(2))
    old_row(good)
    old_row(foreign, scope="https://www.googleapis.com/auth/drive")
    client = make_client()
    stored: list[str] = []
    whole = client.import_rows

    def import_rows(rows, dry_run=False):
        if not dry_run:
            # The last row has been checked already.
            assert f"user {foreign.username}: skipped: no_needed_scope" in err.getvalue()
            stored.append(rows[0]["user_id"])
        return whole(rows, dry_run=dry_run)

    monkeypatch.setattr(client, "import_rows", import_rows)
    out, err = io.StringIO(), io.StringIO()
    with conf.use_client(client):
        call_command("token_broker_import", "--apply", stdout=out, stderr=err)
    assert stored == [good.username, foreign.username]
    assert err.getvalue().count("no_needed_scope") == 1, "each row is named once"
    lines = out.getvalue().splitlines()
    assert lines[0] == "Checked 2 rows before the first one is stored: no_needed_scope 1"
    assert [line.partition(":")[0] for line in lines[1:3]] == ["1 of 2 rows", "2 of 2 rows"]


def with_fields(**changes):
    given = conf.get_settings()["IMPORT"]
    fields = {**given["FIELDS"], **changes}
    return override_settings(TOKEN_BROKER={**conf.get_settings(), "IMPORT": {**given, "FIELDS": fields}})


def test_a_blank_access_token_or_time_is_no_mistake():
    Oauth2Integration.objects.all().delete()
    for fields in ({"access_token": "", "expires_at": timezone.now()}, {"access_token": "x" * 30, "expires_at": None}):
        old_row(get_user_model().objects.create_user(username=new_user()), **fields)
    out, err, failed = run("token_broker_import")
    assert (err, failed) == ("", None) and "imported 2" in out


def test_a_row_whose_function_fails_is_named_and_the_others_are_imported():
    Oauth2Integration.objects.all().delete()
    good, bad = (get_user_model().objects.create_user(username=new_user()) for _ in range(2))
    old_row(good)
    old_row(bad)

    def updated_at(row):
        if row.user == bad:
            raise TypeError("the-secret")
        return row.updated_at

    with with_fields(updated_at=updated_at):
        out, err, failed = run("token_broker_import", "--apply")
    row = Oauth2Integration.objects.get(user=bad)
    assert err.splitlines() == [f"row {row.pk} of the old table: invalid: FIELDS updated_at: TypeError"]
    assert "imported 1" in out and "invalid 1" in out and "1 rows are invalid" in failed
    assert "Checked 2 rows before the first one is stored: invalid 1" in out and "the-secret" not in out + err + failed


def test_the_file_of_who_must_connect_again_is_only_of_its_owner_and_has_no_formulas(tmp_path):
    Oauth2Integration.objects.all().delete()
    old_row(get_user_model().objects.create_user(username=new_user(), email="=cmd@contoso.com"), refresh_token="")
    file, link = tmp_path / "must-reconnect.csv", tmp_path / "link.csv"
    file.write_text("a longer text than the new one. " * 20)
    file.chmod(0o644)
    run("token_broker_import", "--must-reconnect", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert ",'=cmd@contoso.com,no_refresh_token\n" in file.read_text() and "longer" not in file.read_text()
    link.symlink_to(file)
    assert "link.csv" in run("token_broker_import", "--must-reconnect", str(link))[2]


def test_who_must_connect_again_is_written_as_csv(monkeypatch, tmp_path):
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.time.sleep", lambda _: None)
    Oauth2Integration.objects.all().delete()
    works, dead, empty = (
        get_user_model().objects.create_user(username=new_user(), email=f"{name}@contoso.com")
        for name in ("works", "dead", "empty")
    )
    old_row(works)
    old_row(dead, refresh_token="this-refresh-token-is-long-dead")
    old_row(empty, refresh_token="  ")
    file = tmp_path / "must-reconnect.csv"
    out, _, failed = run("token_broker_import", "--apply", "--verify", "600", "--must-reconnect", str(file))
    assert failed is None and "2 users must connect again" in out
    with open(file, encoding="utf-8", newline="") as text:
        rows = sorted(csv.DictReader(text), key=lambda row: row["email"])
    assert [(row["user_id"], row["email"]) for row in rows] == [
        (dead.username, "dead@contoso.com"),
        (empty.username, "empty@contoso.com"),
    ]
    assert rows[0]["reason"] == "token_invalid" and rows[1]["reason"] == "no_refresh_token"
    assert file.stat().st_mode & 0o077 == 0, "it has mail addresses"
    assert "No such file" in run("token_broker_import", "--must-reconnect", str(tmp_path / "no" / "file"))[2]


def test_two_rows_of_a_user_are_found_in_the_whole_table_before_anything_is_sent(monkeypatch):
    Oauth2Integration.objects.all().delete()
    monkeypatch.setattr("token_broker_client.django.management.commands.token_broker_import.BATCH_ROWS", 2)
    monkeypatch.setattr("token_broker_client.django.old_table.PAGE_ROWS", 2)
    twice, *others = (get_user_model().objects.create_user(username=new_user()) for _ in range(5))
    old_row(twice)
    for user in others:
        old_row(user)
        old_row(user, refresh_token="")  # nothing to import, so it is no duplicate
    old_row(twice, minutes=10)
    out, err, failed = run("token_broker_import", "--apply")
    assert err.startswith(f"user {twice.username}: duplicate: 2 rows, none is sent.")
    assert "imported 4, unchanged 0, skipped 4, invalid 0, duplicate 2" in out and "2 rows are duplicates" in failed
    assert make_client().get_integration(twice.username) is None


def newest_rows():
    newest = Oauth2Integration.objects.filter(user=OuterRef("user")).order_by("-updated_at").values("pk")[:1]
    return Oauth2Integration.objects.filter(pk=Subquery(newest))


def test_queryset_and_filter_select_the_rows_together(user):
    Oauth2Integration.objects.all().delete()
    other = get_user_model().objects.create_user(username=new_user())
    old_row(user)
    newest = old_row(user, minutes=10)
    google_row(other)
    with import_with(QUERYSET=newest_rows):
        out, _, failed = run("token_broker_import", "--apply")
    assert failed is None and "imported 1, unchanged 0, skipped 0, invalid 0, duplicate 0" in out
    with import_with(FILTER={"pk": newest.pk}):
        assert "unchanged 1" in run("token_broker_import")[0]


def test_a_mistake_in_import_is_named_before_anything_is_sent(fake):
    given = conf.get_settings()["IMPORT"]
    for change, named in (
        ({"MODEL": "megdocs.Nothing"}, ["MODEL megdocs.Nothing"]),
        (
            {"FIELDS": {**given["FIELDS"], "refresh_token": "refresh_tokn"}},
            ["refresh_token: megdocs.Oauth2Integration has no column refresh_tokn"],
        ),
        ({"FILTER": None}, ["megdocs.Oauth2Integration has a column provider", "FILTER or QUERYSET"]),
        ({"FILTER": "microsoft"}, ["FILTER must be a dictionary"]),
        ({"FILTER": {"providr": "microsoft"}}, ["IMPORT FILTER: Cannot resolve keyword 'providr'"]),
        ({"QUERYSET": "no.where"}, ["QUERYSET no.where cannot be imported"]),
        ({"QUERYSET": lambda: None}, ["do not give a queryset"]),
        ({"QUERYSET": EventCursor.objects.all, "FILTER": {}}, ["rows of token_broker.EventCursor"]),
        ({"WHERE": {}}, ["unknown key WHERE"]),
        ({"FIELDS": {**given["FIELDS"], "user_id": "user__nmae"}}, ["user_id: auth.User has no column nmae"]),
        (
            {"FIELDS": {"user_id": "user_id", "refresh_token": "no.where", "token": "x"}},
            ["unknown field token", "needs updated_at", "no.where cannot"],
        ),
    ):
        with import_with(**change), conf.use_client(fake.client()):
            failed = run("token_broker_import", "--apply")[2]
        assert all(name in failed for name in named), failed
    assert fake.requests == []


def test_the_events_command_sends_a_signal_for_each_event_and_continues_at_its_cursor(user):
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
            raise RuntimeError("not handled")
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


def test_the_events_command_repeats_disconnects_that_a_restore_undid(user, fake):
    store = DatabaseDisconnects(keep_days=30)
    client = fake.client(disconnects=store)
    with conf.use_client(client):
        fake.connect(user.username)
        restored = dict(fake.users)
        client.disconnect(user.username)
        store.record(tb.Disconnect("old", "2020-01-01T00:00:00Z", True))
        fake.users = restored
        EventCursor.objects.update_or_create(name="restored", defaults={"cursor": "fake"})
        fake.fail("cursor_expired", 410)
        run("token_broker_events", "--once", "--name", "restored")
    assert fake.users == {}
    known = {known.user_id: known.is_confirmed for known in store.load()}
    assert known[user.username] is True and "old" not in known
    assert isinstance(conf._make_client().disconnects, DatabaseDisconnects)


def test_a_disconnect_that_cannot_be_recorded_still_succeeds(user, fake, monkeypatch, caplog):
    def fail(*_, **__):
        raise DatabaseError

    monkeypatch.setattr(Disconnect.objects, "update_or_create", fail)
    fake.client(disconnects=DatabaseDisconnects()).disconnect(user.username)
    assert "DatabaseError" in caplog.text


def test_no_migration_is_missing():
    assert run("makemigrations", "--check", "--dry-run")[2] is None
