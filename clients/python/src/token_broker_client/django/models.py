from __future__ import annotations

import unicodedata

from django.conf import settings
from django.db import models


class EventCursor(models.Model):
    """The position in the broker's events. It is saved after the events before it were handled."""

    name = models.CharField(max_length=100, primary_key=True)
    cursor = models.CharField(max_length=200)
    updated_at = models.DateTimeField(auto_now=True)
    read_at = models.DateTimeField(null=True)
    """When the broker last answered, also with no event."""


class Disconnect(models.Model):
    """The last disconnect of a user that was sent or read, for a restore of the broker's database that undoes it."""

    user_id = models.CharField(max_length=128, primary_key=True)
    at = models.DateTimeField(db_index=True)
    is_confirmed = models.BooleanField()


class ConnectAttempt(models.Model):
    """An attempt to connect that a login of this site began. Each has a row of its own, not a place in the session:
    two requests at the same time would each save the session, and one attempt would be lost."""

    digest = models.CharField(max_length=64, primary_key=True)
    """Keyed digest of the id of the connect session."""
    connect_session_id = models.CharField(max_length=36, default="")
    """For the support pages, which ask the broker what came of it. Without the handle nobody can complete it."""
    login = models.CharField(max_length=64, db_index=True)
    """Keyed digest of what names the login that began it."""
    user_id = models.CharField(max_length=128, db_index=True)
    next_url = models.TextField(default="")
    """Where the user wanted to go."""
    result_url = models.TextField(default="")
    begun_at = models.DateTimeField(db_index=True)
    completed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=64, default="")
    """Why its completion failed."""
    who_acts = models.CharField(max_length=32, default="")
    admin_consent_url = models.TextField(default="")


class Connection(models.Model):
    """What this site knows of a user's connection: for the support pages, the status tag and reminders. The events keep
    it (``statuses``). A user who has never connected has no row."""

    CONNECTED, RECONNECT_REQUIRED, DISCONNECTED = "connected", "reconnect_required", "disconnected"
    STATES = ((CONNECTED, "Connected"), (RECONNECT_REQUIRED, "Must reconnect"), (DISCONNECTED, "Disconnected"))

    broker_user_id = models.CharField("user id at the broker", max_length=128, primary_key=True)
    # Without a constraint: a status never stops the deletion of a user.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="+",
    )
    """None: the user was deleted, or is not found by FIND_USER_FUNCTION and has not used the connection yet."""
    state = models.CharField(max_length=32, choices=STATES, db_index=True)
    frozen = models.CharField("paused", max_length=64, default="", blank=True)
    """Reason of the freeze. Not empty: access is paused, whatever the state is."""
    reason = models.CharField(max_length=64, default="", blank=True, db_index=True)
    """With ``connected``: why the last refresh failed. The broker tries again."""
    who_acts = models.CharField("who must act", max_length=32, default="", blank=True)
    ended_by = models.CharField(max_length=16, default="", blank=True)
    """Only with ``disconnected``: ``support`` or ``site`` (this one), ``elsewhere`` (the user, on the page of their
    connection, or the people who run the broker), or ``unused`` (the broker: nobody had used it for a long time)."""
    username = models.CharField("Microsoft account", max_length=512, default="", blank=True)
    domain = models.CharField(max_length=255, default="", blank=True)
    tenant_id = models.CharField("organisation", max_length=64, default="", blank=True, db_index=True)
    object_id = models.CharField(max_length=64, default="", blank=True)
    since = models.DateTimeField(null=True)
    connected_at = models.DateTimeField(null=True)
    refreshed_at = models.DateTimeField("present token issued", null=True)
    """When Microsoft issued the present token: the broker also refreshes to keep a connection alive."""
    microsoft = models.JSONField(default=dict, blank=True)
    """Microsoft's answer to the last refresh that failed: ``aadsts``, ``trace_id``, ``correlation_id``, …"""
    admin_consent_url = models.TextField(default="", blank=True)
    """The broker's page for an administrator. It comes when a token was asked for."""
    missing_scopes = models.JSONField(default=list, blank=True)
    last_read_at = models.DateTimeField("last handed out", null=True)
    """When this site last got a token of the user; written at most once an hour."""
    checked_at = models.DateTimeField(null=True, db_index=True)
    """When the broker last said all of this. None: something has changed since, and the details are not known yet."""
    reminded_at = models.DateTimeField("last mail", null=True)

    class Meta:
        verbose_name = "Microsoft connection"
        # They are not added, changed or deleted in the admin.
        default_permissions = ("view",)
        permissions = (
            ("disconnect_connection", "Can disconnect a user from Microsoft"),
            ("send_connection_link", "Can show and send the link for connecting"),
        )

    def __str__(self) -> str:
        return self.shown_username or self.broker_user_id

    @property
    def shown_username(self) -> str:
        """The account's name without characters that are not visible: others choose it, and some of them turn the text
        around that stands beside it."""
        return visible(self.username)

    @property
    def shown_state(self) -> str:
        """``state``, ``frozen``, or ``degraded``: a token that is still valid is handed out, but Microsoft gives no new
        one at the moment."""
        if self.frozen and self.state != self.DISCONNECTED:
            return "frozen"
        return "degraded" if self.state == self.CONNECTED and self.reason else self.state


class ConnectionEvent(models.Model):
    """An event of the broker, for the history on the support pages."""

    event_id = models.BigIntegerField()
    at = models.DateTimeField(db_index=True)
    broker_user_id = models.CharField(max_length=128, blank=True, db_index=True)
    """Empty: a freeze of an organisation, or of this site's key."""
    tenant_id = models.CharField(max_length=64, default="", blank=True, db_index=True)
    """With a freeze of an organisation."""
    type = models.CharField(max_length=32)
    reason = models.CharField(max_length=64, default="", blank=True)
    username = models.CharField(max_length=512, default="", blank=True)
    """The Microsoft account, when the event was read."""
    microsoft = models.JSONField(default=dict, blank=True)

    class Meta:
        default_permissions = ()
        # Ids of another database of the broker may begin again.
        constraints = [models.UniqueConstraint(fields=["event_id", "at"], name="token_broker_event")]


def visible(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character)[0] != "C")
