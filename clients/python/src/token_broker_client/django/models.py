from django.db import models


class EventCursor(models.Model):
    """How far the events of the broker have been dealt with. Saved after they were dealt with."""

    name = models.CharField(max_length=100, primary_key=True)
    cursor = models.CharField(max_length=200)
    updated_at = models.DateTimeField(auto_now=True)
