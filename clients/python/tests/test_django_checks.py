"""The system checks of the Django app, with the real broker."""

import io
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.recorder import MigrationRecorder
from django.test import modify_settings, override_settings
from django.test.utils import isolate_apps

from token_broker_client.django import checks, conf, migrations
from token_broker_client.django.middleware import NoImpersonationMiddleware
from token_broker_client.testing import FAKE_SETTINGS

from conftest import WORLD, make_client

MIGRATIONS = Path(migrations.__file__).parent


def ids(found):
    return [message.id for message in found]


def test_checks_pass_with_correct_settings_and_name_each_problem(user):
    assert checks.check_settings(None) == [] and checks.check_broker(None) == []
    right = conf.get_settings()
    reader = WORLD["callers"]["reader"]
    for change, wanted in (
        ({"SECRET": "B" * 42 + "A"}, ["token_broker.E002"]),
        ({"AUTHORITY": "other.internal"}, ["token_broker.E002"]),
        ({"URL": "http://127.0.0.1:9"}, ["token_broker.E002"]),
        ({"KEY_ID": reader["key_id"], "SECRET": reader["secret"]}, ["token_broker.W001"] * 6),
    ):
        with override_settings(TOKEN_BROKER={**right, **change}):
            assert ids(checks.check_broker(None)) == wanted, change
    table = right["IMPORT"]
    mistyped = {**table, "FIELDS": {**table["FIELDS"], "refresh_token": "refresh_tokn"}}
    for change in (
        {"SECRET": ""},
        {"SECRET": "short"},
        {"URL": "ftp://x"},
        {"TYPO": 1},
        {"USER_ID_FUNCTION": "no.where"},
        {"READ_FROM": "old"},
        {"IMPORT": mistyped},
        {"IMPORT": {**table, "MODEL": "megdocs.Nothing"}},
        {"IMPORT": {}},
    ):
        with override_settings(TOKEN_BROKER={**right, **change}):
            found = checks.check_settings(None)
            assert ids(found) == ["token_broker.E001"], change
            assert "short" not in str(found)
    newest = make_client().list_integrations(limit=1).events_cursor
    assert checks.check_broker(None) == []
    assert make_client().read_events(newest).events == [], "a check changes nothing"
    call_command("check", "--tag", "token_broker", "--deploy", stdout=io.StringIO())


def the_only(found, wanted):
    assert ids(found) == [wanted], found
    return f"{found[0].msg} {found[0].hint}"


def with_settings(**changes):
    return override_settings(TOKEN_BROKER={**conf.get_settings(), **changes})


class NoPages:
    urlpatterns: list[object] = []


def test_urls_that_are_not_included_are_found():
    assert checks.check_urls(None) == []
    with override_settings(ROOT_URLCONF=NoPages):
        assert "token_broker_client.django.urls" in the_only(checks.check_urls(None), "token_broker.E004")
        assert checks.check_broker(None) == [], "one message is enough"


def test_migrations_that_were_not_run_are_found_with_a_database_only():
    assert checks.check_migrations(None, databases=["default"]) == []
    last = sorted(path.stem for path in MIGRATIONS.glob("0*.py"))[-1]
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("token_broker", last)
    try:
        assert checks.check_migrations(None) == []
        found = run_checks(tags=["token_broker"], databases=["default"])
        assert f"on the database default: {last}" in the_only(found, "token_broker.W003")
    finally:
        recorder.record_applied("token_broker", last)


def test_addresses_of_the_broker_that_lead_elsewhere_are_found():
    site = conf.get_settings()["SITE_URL"]
    with with_settings(SITE_URL="https://other.example"):
        assert ids(checks.check_broker(None)) == ["token_broker.E008"] * 3
    with with_settings(SITE_URL=f"{site}/"):
        assert checks.check_broker(None) == []
    with with_settings(SITE_URL=None):
        assert checks.check_broker(None) == []
        with override_settings(ROOT_URLCONF="test_django_checks_urls"):
            found = checks.check_broker(None)
    assert ids(found) == ["token_broker.E008"] * 3
    assert f"ENTRY_URL_CONNECT is {site}/microsoft/connect, but this site has the page at /ms/connect" in found[0].msg


def test_a_broker_that_does_not_know_the_question_is_no_problem(fake):
    fake.connect_urls = None
    assert checks.check_broker(None) == []


@pytest.mark.parametrize("listener", ["public", "operations"])
def test_the_wrong_listener_is_named(listener):
    with with_settings(URL=WORLD[listener]):
        said = the_only(checks.check_broker(None), "token_broker.E006")
    assert f"URL is the {listener} listener" in said and "internal listener" in said


def test_where_no_broker_is_reachable_the_hint_says_how_to_check():
    with with_settings(URL="http://127.0.0.1:9"):
        assert "without --deploy" in the_only(checks.check_broker(None), "token_broker.E002")
        assert run_checks(tags=["token_broker"]) == []


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def private_broker(tmp_path_factory):
    """An HTTPS server whose certificate, for `localhost`, is its own authority."""
    folder = tmp_path_factory.mktemp("authority")
    files = [str(folder / name) for name in ("ca.crt", "ca.key")]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-out", files[0], "-keyout", files[1]),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server = HTTPServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield files[0], server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("transport", [None, "RequestsTransport", "HttpxTransport"])
def test_a_private_authority_that_is_not_trusted_names_the_setting(private_broker, transport):
    authority, port = private_broker
    change = {} if transport is None else {"TRANSPORT": f"token_broker_client.transports.{transport}"}
    with with_settings(URL=f"https://localhost:{port}", **change):
        assert "Set CA_FILE" in the_only(checks.check_broker(None), "token_broker.E007")
        with with_settings(CA_FILE=authority):
            # Trusted, and it is no broker.
            assert "signs nothing" in the_only(checks.check_broker(None), "token_broker.E006")
            with with_settings(URL=f"https://127.0.0.1:{port}"):
                assert "other names than the host" in the_only(checks.check_broker(None), "token_broker.E007")


def test_a_wrong_ca_file_is_named(tmp_path):
    nothing = tmp_path / "empty.crt"
    nothing.write_text("")
    for change in (
        {"CA_FILE": str(tmp_path / "missing.crt")},
        {"CA_FILE": str(nothing)},
        {"CA_FILE": __file__, "TRANSPORT": "token_broker_client.testing.FakeBroker"},
    ):
        with with_settings(**change):
            assert "CA_FILE" in the_only(checks.check_settings(None), "token_broker.E001"), change


# ---- What the app needs of the project ----


class OtherDatabase:
    def db_for_write(self, model, **hints):
        return "other" if model._meta.app_label == "token_broker" else None


def test_a_project_that_cannot_work_is_named():
    assert checks.check_project(None) == []
    with override_settings(USE_TZ=False):
        assert "USE_TZ" in the_only(checks.check_project(None), "token_broker.E005")
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.OtherDatabase"]):
        assert "database of the user model" in the_only(checks.check_project(None), "token_broker.E005")


@pytest.mark.parametrize(
    ("key", "is_usable"),
    [
        (models.BigAutoField(primary_key=True), True),
        (models.PositiveSmallIntegerField(primary_key=True), True),
        (models.UUIDField(primary_key=True), True),
        (models.SlugField(primary_key=True), True),
        (models.CharField(max_length=26, primary_key=True), True),
        (models.OneToOneField("megdocs.Base", models.CASCADE, primary_key=True), True),
        (models.EmailField(primary_key=True), False),
        (models.URLField(primary_key=True), False),
        (models.DateField(primary_key=True), False),
        (models.CharField(max_length=26, primary_key=True, name="login"), False),
    ],
)
@isolate_apps("megdocs")
def test_primary_keys_that_cannot_be_ids_are_found(monkeypatch, key, is_usable):
    members = {"__module__": __name__, "Meta": type("Meta", (), {"app_label": "megdocs"}), "USERNAME_FIELD": "login"}
    type("Base", (models.Model,), dict(members))
    person = type("Person", (models.Model,), {**members, key.name or "key": key})
    monkeypatch.setattr(checks, "get_user_model", lambda: person)
    assert checks.check_project(None) == [], "USER_ID_FUNCTION is set"
    with with_settings(USER_ID_FUNCTION=None):
        found = checks.check_project(None)
        assert ids(found) == [] if is_usable else "USER_ID_FUNCTION" in the_only(found, "token_broker.E005")


class Mine(NoImpersonationMiddleware):
    pass


@pytest.mark.parametrize("package", ["hijack", "impersonate"])
def test_staff_who_can_act_for_users_need_the_middleware(monkeypatch, package):
    monkeypatch.setattr(apps, "is_installed", lambda name: name == package)
    assert "MIDDLEWARE" in the_only(checks.check_project(None), "token_broker.W004")
    with modify_settings(MIDDLEWARE={"append": f"{__name__}.Mine"}):
        assert checks.check_project(None) == []


def test_a_fake_broker_in_production_is_found():
    with with_settings(**FAKE_SETTINGS):
        assert run_checks(tags=["token_broker"]) == []
        the_only(run_checks(tags=["token_broker"], include_deployment_checks=True), "token_broker.E009")
