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
