"""The pages of the Django app: words for people in their language, one step that can help, one line in the log."""

import html
import json
import logging
import os
import re
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.contrib.sessions.backends import db, signed_cookies
from django.db import connection
from django.template import Context, Template
from django.test import Client as Browser
from django.test import RequestFactory, override_settings
from django.utils import translation
from test_django import GUESS, come_back, press_connect

from token_broker_client.django import conf, texts
from token_broker_client.django.models import ConnectAttempt

from conftest import HERE, Back

LANGUAGES = ("en", "de", "es")
CONNECT = dict.fromkeys(LANGUAGES, "")
for _language in LANGUAGES:
    with translation.override(_language):
        CONNECT[_language] = str(texts.text("actions.connect"))


def text_of(page):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def title_and_heading(page):
    content = page.content.decode()
    title, heading = re.search(r"<title>(.*?) – ", content), re.search(r"<h1>(.*?)</h1>", content)
    assert title is not None and heading is not None
    return title.group(1), heading.group(1)


def buttons(page):
    """The words of the filled buttons and of the plain links below the text."""
    content = html.unescape(page.content.decode())
    return re.findall(r'<(?:a|button) class="button"[^>]*>(.*?)</', content), re.findall(
        r'<a class="plain"[^>]*>(.*?)</', content
    )


# ---- Language ----


def test_each_language_of_the_broker_has_its_own_words():
    assert CONNECT["en"] == "Connect to Microsoft" and CONNECT["de"] == "Mit Microsoft verbinden"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_in_the_language_of_the_browser_and_says_so(browser, user, fake, language):
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = f"{language}-AT,en;q=0.1"
    fake.connect(user.username)
    fake.require_reconnect(user.username, "blocked_by_policy", "tenant_admin")
    pages = {
        "connect": browser.get("/microsoft/connect"),
        "reconnect": browser.get("/microsoft/connect", {"reason": "access_revoked"}),
        "continue": browser.post("/microsoft/connect"),
        "not started here": browser.get("/microsoft/connected"),
        "manage": browser.get("/microsoft/manage", headers={"Sec-Fetch-Site": "cross-site"}),
        "problem": browser.get("/documents"),
    }
    with translation.override(language):
        own = {key: texts.text(key) for key in texts._TEXTS}
    other = {texts._TEXTS[key] for key, words in own.items() if words != texts._TEXTS[key]}
    for name, page in pages.items():
        assert f'<html lang="{language}">' in page.content.decode(), name
        title, heading = title_and_heading(page)
        assert title == heading and title, name
        main = page.content.decode().partition("<main>")[2]
        words = {" ".join(html.unescape(found).split()) for found in re.findall(r">([^<>]+)<", main)}
        if language != "en":
            assert words & other == set(), name
    assert own["actions.connect"] in buttons(pages["connect"])[0]
    assert own["actions.cancel"] in buttons(pages["connect"])[1]
    assert own["reasons.access_revoked.title"] in text_of(pages["reconnect"])
    assert buttons(pages["reconnect"])[0] == [own["actions.connectAgain"]]
    assert buttons(pages["problem"])[0] == [own["actions.openMessage"]]


def test_a_language_without_catalogue_gets_english_that_says_that_it_is_english(browser):
    with override_settings(LANGUAGE_CODE="fr", LANGUAGES=[("fr", "Français")]):
        page = browser.get("/microsoft/connect").content.decode()
    assert '<html lang="en">' in page and "Connect to Microsoft" in page
    with translation.override(None), override_settings(USE_I18N=False):
        assert texts.text("actions.connect") == "Connect to Microsoft" and texts.language() == "en"


def test_the_message_after_connecting_names_no_menu_and_can_be_changed(browser, fake, tmp_path):
    def connect_and_read():
        press_connect(browser, next="/documents")
        session = next(reversed(fake.sessions))
        come_back(browser, Back(session, fake.come_back(session)))
        return browser.get("/").content.decode()

    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    page = connect_and_read()
    assert 'Mit Microsoft verbunden als <bdi dir="ltr">jane@contoso.com</bdi>.' in page
    assert '<a href="/microsoft/manage">' in page and "&lt;a" not in page
    (tmp_path / "token_broker").mkdir()
    (tmp_path / "token_broker" / "connected_message.html").write_text("Own words: {{ account }}")
    dirs: list[str] = [str(tmp_path), *settings.TEMPLATES[0]["DIRS"]]  # type: ignore[misc]
    own = [{**settings.TEMPLATES[0], "DIRS": dirs}]
    with override_settings(TEMPLATES=own):
        assert "Own words: jane@contoso.com" in connect_and_read()
    (tmp_path / "token_broker" / "connected_message.html").write_text("")
    with override_settings(TEMPLATES=own):
        assert 'class="notice good"' not in connect_and_read()


def test_a_name_in_the_message_after_connecting_is_escaped(browser, user, fake):
    press_connect(browser, next="/documents")
    session = next(reversed(fake.sessions))
    come_back(browser, Back(session, fake.come_back(session, "<b>x</b>@contoso.com")))
    assert '<bdi dir="ltr">&lt;b&gt;x&lt;/b&gt;@contoso.com</bdi>' in browser.get("/").content.decode()


def test_the_package_has_a_layout_of_its_own(fake, user):
    without = [{**settings.TEMPLATES[0], "DIRS": []}]
    browser = Browser()
    browser.force_login(user)
    with override_settings(TEMPLATES=without):
        page = browser.get("/microsoft/connect").content.decode()
    assert '<link rel="stylesheet" href="/microsoft/pages.css">' in page and "simulated" not in page
    assert "<style" not in page and "style=" not in page and "<script" not in page
    style = browser.get("/microsoft/pages.css")
    assert style["content-type"].startswith("text/css") and ".button" in style.content.decode()


# ---- Failures ----


with open(os.path.join(HERE, "..", "..", "..", "openapi", "openapi.json"), encoding="utf-8") as _document:
    SCHEMAS = json.load(_document)["components"]["schemas"]
WHO_ACTS = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", SCHEMAS["Reason"]["description"], re.MULTILINE)


@pytest.mark.parametrize(("reason", "who_acts", "advice"), WHO_ACTS)
def test_every_reason_offers_the_step_that_can_help_in_words_for_users(browser, user, fake, reason, who_acts, advice):
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    fake.connect(user.username)
    fake.require_reconnect(user.username, reason, who_acts, advice)
    page, home = browser.get("/documents"), browser.get("/")
    with translation.override("de"):
        words = {part: texts.text(f"reasons.{reason}.{part}") for part in ("title", "happened", "todo")}
        again, message = texts.text("actions.connectAgain"), texts.text("actions.openMessage")
    assert words["title"] in text_of(home) and words["happened"] in text_of(home)
    assert advice not in text_of(home), "an advice is for developers"
    if who_acts == "user":
        assert page.status_code == 302
        address = urlsplit(page["location"])
        assert address.path == "/microsoft/connect"
        assert parse_qs(address.query) == {"next": ["/documents"], "reason": [reason]}
        reconnect = browser.get(page["location"])
        assert words["title"] in text_of(reconnect) and buttons(reconnect)[0] == [again]
        assert 'value="/documents"' in reconnect.content.decode()
        assert buttons(home)[0][:1] == [again]
        return
    assert page.status_code == 409 and advice not in text_of(page)
    assert title_and_heading(page)[1] == html.escape(words["title"], quote=True).replace("&#x27;", "&#39;")
    assert words["happened"] in text_of(page)
    assert 'href="/microsoft/connect' not in (page.content + home.content).decode(), "connecting again is no step"
    assert (buttons(page)[0] == [message]) == (who_acts == "tenant_admin")
    assert ('<a class="button" href="/microsoft/manage">' in page.content.decode()) == (who_acts == "tenant_admin")
    assert 'href="/microsoft/manage"' in home.content.decode()


def test_the_reasons_are_read_from_the_documentation_of_the_broker():
    assert {who for _, who, _ in WHO_ACTS} == {"user", "tenant_admin", "ops", "nobody"} and len(WHO_ACTS) > 30


CODES = [
    ("invalid_signature", 401, "ops"),
    ("caller_forbidden", 403, "ops"),
    ("broker_misconfigured", 503, "ops"),
    ("database_unavailable", 503, "nobody"),
    ("audit_unavailable", 503, "ops"),
    ("rate_limited", 429, "nobody"),
    ("token_unreadable", 500, "ops"),
    ("internal_error", 500, "ops"),
    ("invalid_request", 422, "ops"),
    ("claims_not_satisfied", 409, "ops"),
    ("a_code_of_a_later_broker", 503, "ops"),
    ("a_code_of_a_later_broker", 418, None),
]


@pytest.mark.parametrize(("code", "status", "who_acts"), CODES)
def test_no_failure_shows_what_is_meant_for_operators(browser, fake, caplog, code, status, who_acts):
    caplog.set_level(logging.INFO)
    given = {} if who_acts is None else {"who_acts": who_acts}
    fake.fail(code, status, times=9, advice="OPS-ADVICE", detail="DETAIL", request_id="r-42", retry_after=9, **given)
    page = browser.get("/documents")
    text = text_of(page)
    assert page.status_code in (409, 503)
    for part in ("OPS-ADVICE", "DETAIL", "callers file", "retry_after", "Ops ", "clock", "authority"):
        assert part not in text, part
    assert f"For support : Code {code}" in text.replace("For support:", "For support :") and "r-42" in text
    assert "support@megdocs.example" in text
    lines = [record for record in caplog.records if record.name in ("token_broker_client", "django.request")]
    assert [(record.name, record.levelname) for record in lines] == [("token_broker_client", "WARNING")]
    for part in (code, "r-42", f"who_acts={who_acts}", "GET /documents"):
        assert part in lines[0].getMessage()


def test_a_redirect_to_connect_is_logged_once_and_a_first_connect_is_no_warning(browser, user, fake, caplog):
    caplog.set_level(logging.INFO)

    def lines():
        found = [
            (record.levelname, record.getMessage()) for record in caplog.records if record.name.startswith("token_b")
        ]
        caplog.clear()
        return found

    browser.get("/documents")
    assert [level for level, _ in lines()] == ["INFO"]
    fake.connect(user.username)
    fake.require_reconnect(user.username)
    browser.get("/documents")
    [(level, message)] = lines()
    assert level == "WARNING" and "reason=access_revoked" in message and "who_acts=user" in message


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://help.example/megdocs", '<a href="https://help.example/megdocs">help.example/megdocs</a>'),
        (
            "help@example.com",
            '<a href="mailto:help@example.com?subject=MEGDocs%2C%20reference%20r-7">help@example.com</a>',
        ),
        ("Extension <42>", "Extension &lt;42&gt;"),
        ("javascript:alert(1)", "javascript:alert(1)"),
    ],
)
def test_the_contact_of_the_support_is_shown_where_the_support_is_named(browser, fake, given, shown):
    with override_settings(TOKEN_BROKER={**conf.get_settings(), "SUPPORT_CONTACT": given}), conf.use_fake(fake):
        fake.fail("broker_misconfigured", 503, times=2, who_acts="ops", request_id="r-7")
        page = browser.get("/documents").content.decode()
    assert f": {shown}</small>" in page and 'href="javascript' not in page


def test_a_reason_in_an_address_is_shown_only_if_it_is_one(browser):
    for reason in ("nothing", "<script>", "", "title"):
        page = browser.get("/microsoft/connect", {"reason": reason})
        assert page.status_code == 200 and 'class="notice' not in page.content.decode()


def test_a_failure_that_the_user_can_solve_redirects_to_connect_and_back(browser, user, fake):
    fake.connect(user.username)
    fake.require_reconnect(user.username)
    page = browser.get("/documents/abc?x=1")
    assert parse_qs(urlsplit(page["location"]).query)["next"] == ["/documents/abc?x=1"]
    sent = browser.post("/documents/abc", {"text": "x"}, headers={"referer": "http://testserver/documents/abc"})
    assert parse_qs(urlsplit(sent["location"]).query)["next"] == ["http://testserver/documents/abc"]


def test_while_the_broker_cannot_be_reached_the_answer_is_503_with_retry_after(browser, fake):
    fake.stop()
    page = browser.get("/documents")
    assert (page.status_code, page["retry-after"]) == (503, "5")
    assert buttons(page)[0] == ["Try again"]
    assert browser.get("/").status_code == 200, "the template tag never fails"


# ---- The address where the user wanted to go ----


def wanted(browser):
    found = re.search(r'name="next" value="([^"]*)"', browser.get("/microsoft/connect").content.decode())
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("sessions", [db, signed_cookies])
def test_the_wanted_address_survives_an_attempt_that_failed(user, fake, sessions):
    with override_settings(SESSION_ENGINE=sessions.__name__):
        browser = Browser()
        browser.force_login(user)
        assert wanted(browser) == ""
        press_connect(browser, next="/documents/abc")
        # Cancelled, another account, or Microsoft was down: the broker's page leads to the connect page.
        assert wanted(browser) == "/documents/abc"
        press_connect(browser, next=wanted(browser))
        session = next(reversed(fake.sessions))
        back = Back(session, fake.come_back(session))
        assert come_back(browser, back)["location"] == "/documents/abc"
        assert wanted(browser) == "", "it was reached"
        assert come_back(browser, back)["location"] == "/documents/abc", "Back, or a reload"
        other = Browser()
        other.force_login(user)
        assert wanted(other) == ""


def test_an_address_that_was_wanted_long_ago_is_forgotten(browser, fake):
    press_connect(browser, next="/documents/abc")
    ConnectAttempt.objects.update(begun_at="2026-01-01T00:00:00Z")
    assert wanted(browser) == ""
    press_connect(browser)
    assert ConnectAttempt.objects.filter(begun_at__lt="2026-02-01T00:00:00Z").count() == 0, "it is deleted"


def test_attempts_that_begin_at_the_same_time_are_all_completed(user, fake):
    first = Browser()
    first.force_login(user)
    barrier, begun, failures = threading.Barrier(4), list[str](), list[Exception]()
    begin = fake.send

    def send(request, timeout_seconds):
        answer = begin(request, timeout_seconds)
        if request.target == "/connect-sessions":
            begun.append(json.loads(answer.body)["id"])
            barrier.wait(20)
        return answer

    fake.send = send

    def press():
        tab = Browser()
        tab.cookies = first.cookies
        try:
            press_connect(tab, next="/documents")
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and len(set(begun)) == 4
    for session in begun:
        assert come_back(first, Back(session, fake.come_back(session)))["location"] == "/documents"


def test_an_attempt_that_the_broker_no_longer_knows_keeps_the_wanted_address(browser, fake):
    press_connect(browser, next="/documents")
    connect_session = next(iter(fake.sessions))
    fake.sessions.clear()
    page = come_back(browser, Back(connect_session, GUESS))
    assert page.status_code == 403 and 'href="/microsoft/connect?next=%2Fdocuments"' in page.content.decode()


# ---- The template tag ----


def test_the_template_tag_shows_the_state_of_the_connection(user, fake):
    request = RequestFactory().get("/here")
    request.user = user
    template = Template(
        "{% load token_broker %}{% microsoft_status as m %}{{ m.state }}|{{ m.username }}|{{ m.advice }}|"
        "{{ m.action_text }}|{{ m.action_url }}|{{ m.connect_url }}"
    )

    def shown(language="en", **context):
        with translation.override(language):
            return html.unescape(template.render(Context({"request": request, **context}))).split("|")

    url = "/microsoft/connect?next=%2Fhere"
    assert shown() == ["not_connected", "", "", "Connect to Microsoft", url, url]
    fake.connect(user.username)
    assert shown() == ["connected", "jane@contoso.com", "", "", "", url]
    fake.require_reconnect(user.username, advice="For developers.")
    state, username, advice, action, action_url, _ = shown("de")
    assert (state, username, action_url) == ("reconnect_required", "jane@contoso.com", f"{url}&reason=access_revoked")
    with translation.override("de"):
        assert action == texts.text("actions.connectAgain") and advice.startswith(
            texts.text("reasons.access_revoked.title")
        )
    fake.freeze(user.username)
    assert shown()[0] == "frozen" and "paused" in shown()[2]
    assert shown()[3] == texts.text("actions.contactSupport") and shown()[4].startswith("mailto:")
    fake.stop()
    assert shown()[0] == "unknown" and shown()[3:] == ["", "", ""] and "Your connection is not lost" in shown()[2]
    assert shown(request=None)[0] == "not_connected", "a mail has no request"


def test_after_a_status_without_an_answer_no_page_waits_for_some_seconds(browser, fake):
    waited = []

    def hang(request, timeout_seconds):
        waited.append(timeout_seconds)
        fake.stop()
        return stopped(request, timeout_seconds)

    stopped, fake.send = fake.send, hang
    browser.get("/")
    first = len(waited)
    for _ in range(5):
        assert browser.get("/").status_code == 200
    assert len(waited) == first > 0
