"""What the tests of statuses and support pages share."""

from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client as Browser

from token_broker_client.django import feed, statuses
from token_broker_client.django.models import ConnectAttempt, Connection, ConnectionEvent, EventCursor

from conftest import new_user

LIST = "/admin/token_broker/connection/"
MICROSOFT = {
    "error": "interaction_required",
    "aadsts": 53003,
    "trace_id": "11112222-3333-4444-5555-666677778888",
    "correlation_id": "99990000-aaaa-bbbb-cccc-ddddeeeeffff",
    "timestamp": "2026-11-28 09:00:00Z",
}


def forget_everything():
    """The statuses belong to another broker in each test."""
    for model in (Connection, ConnectionEvent, ConnectAttempt, EventCursor, LogEntry):
        model.objects.all().delete()
    statuses._reads.clear()
    mail.outbox.clear()


def make_person(fake):
    user = get_user_model().objects.create_user(username=new_user(), email="sam@contoso.com", first_name="Samira")
    fake.connect(user.username, "samira.k@contoso.com")
    feed.sync()
    return user


def row_of(user):
    return Connection.objects.get(pk=user.username)


def support_browser(*permissions):
    user = get_user_model().objects.create_user(username=new_user(), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Browser()
    browser.force_login(user)
    return browser
