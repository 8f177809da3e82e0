"""The support pages in Django's admin: eight cases, each solved as a new member of support would, from the search to
the page that says who must act and what to do."""

import io
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.test import override_settings
from django.utils import timezone

from token_broker_client import ReconnectRequired
from token_broker_client.django import conf, feed, support, tokens
from token_broker_client.django.admin import ConnectionAdmin
from token_broker_client.django.models import Connection, EventCursor

from conftest import new_user
from support_case import LIST, MICROSOFT, make_person, row_of
from support_case import support_browser as staff

ALL = ("view_connection", "disconnect_connection", "send_connection_link")


@pytest.fixture()
def support_member():
    return staff(*ALL)


pytestmark = pytest.mark.usefixtures("no_connections")


@pytest.fixture()
def person(fake):
    return make_person(fake)


def look_up(browser, query, user):
    """From the search to the user's page."""
    found = browser.get(LIST, {"q": query}).content.decode()
    url = f"{LIST}{user.username}/change/"
    assert url in found, "the search leads to the page"
    return browser.get(url).content.decode()


# ---- The eight cases ----


def test_revoked_the_user_connects_again_with_a_link(fake, person, support_member):
    fake.require_reconnect(person.username, "access_revoked", microsoft={**MICROSOFT, "aadsts": 50173})
    feed.sync()
    page = look_up(support_member, "samira.k@contoso", person)
    assert "Access was ended at Microsoft" in page and "<strong>Who must act:</strong> The user" in page
    assert "AADSTS50173" in page and MICROSOFT["trace_id"] in page and MICROSOFT["correlation_id"] in page
    assert "Stopped working" in page and "IT</a>" not in page
    buttons = support_member.get(f"{LIST}{person.username}/link/").content.decode()
    assert "Show the link" in buttons and "?reason=" not in buttons and not LogEntry.objects.exists()
    link = support_member.post(f"{LIST}{person.username}/link/", {"do": "show"}).content.decode()
    assert "/microsoft/connect?reason=access_revoked" in link
    support_member.post(f"{LIST}{person.username}/link/")
    assert [message.to for message in mail.outbox] == [["sam@contoso.com"]]
    assert "/microsoft/connect?reason=access_revoked" in mail.outbox[0].body
    assert "Access was ended at Microsoft" in mail.outbox[0].subject
    done = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    assert done == ["Link shown", "Link sent by mail"]


@pytest.mark.parametrize(
    ("reason", "title", "asks"),
    [
        ("admin_consent_required", "An administrator must approve", "approve"),
        ("blocked_by_policy", "A rule of your organisation blocks this", "Conditional Access"),
        ("account_disabled", "This Microsoft account is disabled", "my account is disabled"),
    ],
)
def test_consent_policy_or_disabled_account_their_it_gets_a_message(fake, person, support_member, reason, title, asks):
    fake.require_reconnect(person.username, reason, "tenant_admin", microsoft=MICROSOFT)
    feed.sync()
    page = look_up(support_member, "Samira", person)
    assert title in page and "The organisation&#x27;s IT" in page and "Do not send a link" in page
    assert "Link for connecting</a>" not in page
    # A view has asked for a token meanwhile.
    with pytest.raises(ReconnectRequired):
        tokens.get_token(person)
    message = support_member.post(f"{LIST}{person.username}/message/", {"do": "show"}).content.decode()
    assert LogEntry.objects.get().change_message == "Message for IT shown"
    assert asks in message and "Trace ID 11112222" in message and "samira.k@contoso.com" in message
    assert f"{fake.url}/admin-consent" in message
    support_member.post(f"{LIST}{person.username}/message/")
    assert asks in mail.outbox[0].body and mail.outbox[0].to == ["sam@contoso.com"]
    # It works again without a connect.
    fake.recover(person.username)
    feed.sync()
    page = look_up(support_member, "Samira", person)
    assert "<h2>Connected</h2>" in page and "Works again without a connect" in page


def test_the_message_for_it_stops_no_reminder(fake, person, support_member):
    fake.require_reconnect(person.username, "consent_required")
    feed.sync()
    support_member.post(f"{LIST}{person.username}/message/")
    assert len(mail.outbox) == 1 and row_of(person).reminded_at is None
    support_member.post(f"{LIST}{person.username}/link/")
    assert row_of(person).reminded_at is not None


@pytest.mark.parametrize("reason", ["access_revoked", "account_disabled"])
def test_deactivated_here_no_link_and_no_mail(fake, person, support_member, reason):
    fake.require_reconnect(person.username, reason, "user" if reason == "access_revoked" else "tenant_admin")
    feed.sync()
    get_user_model().objects.filter(pk=person.pk).update(is_active=False)
    page = look_up(support_member, "Samira", person)
    assert "deactivated here" in page and "Nobody, as long as the user is deactivated" in page
    assert "Link for connecting</a>" not in page and "IT</a>" not in page
    said = support_member.post(f"{LIST}{person.username}/link/", follow=True).content.decode()
    assert "or is deactivated" in said and mail.outbox == []
    assert support_member.post(f"{LIST}{person.username}/message/").status_code == 404


def test_times_are_named_for_what_they_are(fake, person, support_member):
    page = look_up(support_member, "Samira", person)
    assert "Microsoft issued the present token" in page and "Last handed out to this site" in page
    assert "state asked just now" in page and "Last refresh" not in page
    fake.stop()
    assert "asked just now" not in look_up(support_member, "Samira", person)


def test_frozen_nobody_connects(fake, person, support_member):
    fake.freeze(person.username)
    feed.sync()
    page = look_up(support_member, "Samira", person)
    assert "<h2>Paused" in page and "The people who run the token broker" in page and "Do not send a link" in page
    assert "Link for connecting</a>" not in page
    fake.unfreeze(person.username)
    feed.sync()
    assert "<h2>Connected</h2>" in look_up(support_member, "Samira", person)


def test_microsoft_down_nobody_has_to_act(fake, person, support_member):
    fake.degrade(person.username)
    page = look_up(support_member, "Samira", person)
    assert "Microsoft gives no new token now" in page and "Nobody: the broker tries again" in page
    assert "Link for connecting</a>" not in page


def test_never_connected_is_found_and_gets_a_link(fake, support_member):
    user = get_user_model().objects.create_user(username=new_user(), email="new@contoso.com", first_name="Nadja")
    found = support_member.get(LIST, {"q": "nadja"}).content.decode()
    url = f"{LIST}person/{user.pk}/"
    assert url in found
    page = support_member.get(url).content.decode()
    assert "<h2>Never connected</h2>" in page and "send the link" in page and "Disconnect…" not in page
    assert f"{url}link/" in page
    support_member.post(f"{url}link/")
    assert mail.outbox[0].to == ["new@contoso.com"] and "/microsoft/connect\n" in mail.outbox[0].body
    assert not Connection.objects.exists()


def test_disconnected_by_themselves_is_told_from_disconnected_here(fake, person, support_member):
    fake.disconnect(person.username)
    feed.sync()
    page = look_up(support_member, "Samira", person)
    assert "<h2>Disconnected" in page and "The user disconnected on the page of their Microsoft connection" in page
    fake.connect(person.username)
    feed.sync()
    tokens.disconnect(person)
    feed.sync()
    assert "This site disconnected the user" in look_up(support_member, "Samira", person)


def test_the_page_works_while_the_broker_is_away(fake, person, support_member):
    fake.require_reconnect(person.username, "mfa_required", microsoft=MICROSOFT)
    feed.sync()
    fake.stop()
    page = look_up(support_member, "Samira", person)
    assert "The token broker does not answer (broker_unreachable)" in page
    assert "Microsoft asks for an extra confirmation" in page and MICROSOFT["trace_id"] in page


# ---- Actions ----


def test_a_disconnect_asks_first_and_is_recorded_here_and_sent_to_the_broker(fake, person, support_member):
    url = f"{LIST}{person.username}/disconnect/"
    assert "This cannot be undone" in support_member.get(url).content.decode()
    assert person.username in fake.users
    page = support_member.post(url, follow=True).content.decode()
    assert person.username not in fake.users and "The user is disconnected." in page
    assert f"DELETE /integrations/{person.username}" in fake.requests
    entry = LogEntry.objects.get()
    who = int(support_member.session["_auth_user_id"])
    assert (entry.user_id, entry.object_id, entry.change_message) == (who, person.username, "Disconnected")
    feed.sync()
    assert "Somebody in support disconnected this user" in look_up(support_member, "Samira", person)


def test_a_disconnect_while_the_broker_is_away_is_sent_later(fake, person, support_member):
    fake.stop()
    page = support_member.post(f"{LIST}{person.username}/disconnect/", follow=True).content.decode()
    assert "The broker does not answer" in page
    assert row_of(person).state == "disconnected"
    fake.start()
    # The page asks the broker, which does not know it yet.
    assert "<h2>Disconnected" in look_up(support_member, "Samira", person)
    feed.sync()
    assert person.username not in fake.users


PAGES = ("", "overview/", "{id}/change/", "{id}/history/", "person/{pk}/", "person/{pk}/link/", "{id}/link/",
         "{id}/message/", "{id}/disconnect/")  # fmt: skip


def test_without_the_permission_each_page_is_403_and_shows_nothing(fake, person):
    fake.require_reconnect(person.username, "account_disabled", "tenant_admin", microsoft=MICROSOFT)
    feed.sync()
    other = staff("view_user", "change_user", "view_logentry")
    for page in PAGES:
        for method in (other.get, other.post):
            answer = method(LIST + page.format(id=person.username, pk=person.pk))
            assert answer.status_code == 403, page
            assert b"contoso" not in answer.content and b"11112222" not in answer.content
    assert person.username in fake.users and mail.outbox == []
    nobody = Browser()
    nobody.force_login(person)
    assert nobody.get(LIST).status_code == 302, "who is not staff goes to the login"


def test_who_may_only_look_can_do_nothing(fake, person):
    fake.require_reconnect(person.username, "consent_required")
    feed.sync()
    viewer = staff("view_connection")
    page = look_up(viewer, "Samira", person)
    assert "Disconnect…" not in page and "Link for connecting</a>" not in page and "IT</a>" not in page
    for action in ("disconnect", "link", "message"):
        assert viewer.get(f"{LIST}{person.username}/{action}/").status_code == 403
        assert viewer.post(f"{LIST}{person.username}/{action}/").status_code == 403
    assert person.username in fake.users and mail.outbox == [] and not LogEntry.objects.exists()


def test_the_post_of_another_site_does_nothing(fake, person, support_member):
    careful = Browser(enforce_csrf_checks=True)
    careful.force_login(get_user_model().objects.get(pk=support_member.session["_auth_user_id"]))
    assert careful.post(f"{LIST}{person.username}/disconnect/").status_code == 403
    assert person.username in fake.users


def test_hostile_account_names_are_text(fake, support_member):
    user = get_user_model().objects.create_user(username=new_user(), email="h@contoso.com", first_name="<b>Hanna")
    fake.connect(user.username, '"><script>alert(1)</script>\u202e@evil.example')
    feed.sync()
    fake.require_reconnect(
        user.username, "account_disabled", "tenant_admin", microsoft={"trace_id": "<script>alert(2)</script>"}
    )
    feed.sync()
    for page in PAGES:
        if not page.startswith("person"):
            text = support_member.get(LIST + page.format(id=user.username)).content.decode()
            assert "<script>alert" not in text and "<b>Hanna" not in text and "\u202e" not in text, page
    support_member.post(f"{LIST}{user.username}/message/")
    assert "\u202e" not in mail.outbox[0].body and "\n" not in mail.outbox[0].subject


def test_a_mail_that_is_not_accepted_is_said_so(fake, person, support_member):
    with override_settings(EMAIL_BACKEND="no.such.backend"):
        page = support_member.post(f"{LIST}{person.username}/link/", follow=True).content.decode()
    assert "The mail was not sent" in page and row_of(person).reminded_at is None


def test_a_project_that_limits_who_sees_which_user_limits_each_page(fake, person, support_member, monkeypatch):
    other = get_user_model().objects.create_user(username=new_user(), email="o@fabrikam.com", first_name="Otto")
    fake.connect(other.username, "otto@fabrikam.com")
    for user in (person, other):
        fake.require_reconnect(user.username, "consent_required")
    feed.sync()
    newcomer = get_user_model().objects.create_user(username=new_user(), first_name="Ottilie")

    class Limited(ConnectionAdmin):
        def get_queryset(self, request):
            return super().get_queryset(request).filter(domain="contoso.com")

        def get_users(self, request):
            return super().get_users(request).filter(email__endswith="@contoso.com")

    monkeypatch.setattr(admin.site._registry[Connection], "__class__", Limited)
    for page in PAGES[2:]:
        for user in (other, newcomer):
            for method in (support_member.get, support_member.post):
                answer = method(LIST + page.format(id=user.username, pk=user.pk), follow=True)
                assert b"fabrikam" not in answer.content and b"Ott" not in answer.content, page
    assert other.username in fake.users and mail.outbox == []
    for page in (LIST, f"{LIST}overview/", f"{LIST}?q=Ott", f"{LIST}?state=reconnect_required"):
        found = support_member.get(page).content
        assert b"fabrikam" not in found and b"<td>Ott" not in found and b"Ottilie" not in found, page
    assert "consent_required" in look_up(support_member, "Samira", person)


# ---- The list ----


def test_the_list_of_who_must_reconnect_leads_to_its_users(fake, support_member):
    for reason, who in (("access_revoked", "user"), ("access_revoked", "user"), ("not_assigned", "tenant_admin")):
        user = get_user_model().objects.create_user(username=new_user())
        fake.connect(user.username, f"{user.username}@contoso.com")
        fake.require_reconnect(user.username, reason, who)
    feed.sync()
    page = support_member.get(f"{LIST}overview/").content.decode()
    assert "contoso.com" in page and ">2</a>" in page and ">1</a>" in page
    url = f"{LIST}?state=reconnect_required&amp;reason=access_revoked"
    assert url in page
    found = support_member.get(f"{LIST}?state=reconnect_required&reason=access_revoked").content.decode()
    assert "2 Microsoft connections" in found
    for query, count in (
        ("state=connected", 0), ("state=frozen", 0), ("state=degraded", 0), ("state=disconnected", 0),
        ("who=tenant_admin", 1), ("who=ops", 0), ("organisation=9d2f1a44-58c6-4a0b-8f3a-6b1c2d3e4f50", 3),
    ):  # fmt: skip
        assert f"{count} Microsoft connection" in support_member.get(f"{LIST}?{query}").content.decode(), query


def test_old_statuses_are_said_to_be_old(fake, person, support_member):
    assert "may be old" not in support_member.get(LIST).content.decode()
    EventCursor.objects.update(read_at=timezone.now() - timedelta(hours=1))
    for page in ("", "overview/", f"{person.username}/change/"):
        assert "may be old" in support_member.get(LIST + page).content.decode()


# ---- Reminders ----


def remind(*args):
    out, err = io.StringIO(), io.StringIO()
    call_command("token_broker_remind", *args, stdout=out, stderr=err)
    return out.getvalue()


def test_a_reminder_goes_once_in_so_many_days_to_who_can_solve_it(fake, person):
    helpless = get_user_model().objects.create_user(username=new_user(), email="other@contoso.com")
    fake.connect(helpless.username)
    fake.require_reconnect(helpless.username, "account_disabled", "tenant_admin")
    fake.require_reconnect(person.username, "refresh_token_expired")
    feed.sync()
    assert f"user {person.username}: refresh_token_expired" in remind("--dry-run") and mail.outbox == []
    assert "1 got a mail, 0 skipped, 0 failed" in remind()
    assert "0 got a mail" in remind()
    assert [message.to for message in mail.outbox] == [["sam@contoso.com"]]
    assert conf.get_settings()["SITE_URL"] + "/microsoft/connect?reason=refresh_token_expired" in mail.outbox[0].body
    Connection.objects.update(reminded_at=timezone.now() - timedelta(days=8))
    assert "1 got a mail" in remind("--days", "7")


def test_a_reminder_that_fails_is_tried_again_and_old_statuses_send_none(fake, person):
    fake.require_reconnect(person.username)
    feed.sync()
    with override_settings(EMAIL_BACKEND="no.such.backend"), pytest.raises(CommandError, match="not sent"):
        remind()
    assert "1 got a mail" in remind()
    EventCursor.objects.update(read_at=timezone.now() - timedelta(hours=1))
    with pytest.raises(CommandError, match="old"):
        remind()


def test_the_texts_of_mails_exist_in_each_language(fake, person):
    from django.utils import translation

    fake.require_reconnect(person.username, "account_disabled", "tenant_admin", microsoft=MICROSOFT)
    feed.sync()
    bodies = set()
    for language in ("en", "de", "es"):
        with translation.override(language):
            assert support.send_message(row_of(person)) and support.send_link(row_of(person), "https://m.example")
        bodies |= {message.body for message in mail.outbox}
    assert len(bodies) == 6
