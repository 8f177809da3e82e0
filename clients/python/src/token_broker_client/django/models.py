from django.db import models


class EventCursor(models.Model):
    """The position in the broker's events. It is saved after the events before it were handled."""

    name = models.CharField(max_length=100, primary_key=True)
    cursor = models.CharField(max_length=200)
    updated_at = models.DateTimeField(auto_now=True)


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
    login = models.CharField(max_length=64, db_index=True)
    """Keyed digest of what names the login that began it."""
    user_id = models.CharField(max_length=128, db_index=True)
    next_url = models.TextField(default="")
    """Where the user wanted to go."""
    result_url = models.TextField(default="")
    begun_at = models.DateTimeField(db_index=True)
    completed_at = models.DateTimeField(null=True)
