from django.db import models


class EventCursor(models.Model):
    """The position in the broker's events. It is saved after the events before it were handled."""

    name = models.CharField(max_length=100, primary_key=True)
    cursor = models.CharField(max_length=200)
    updated_at = models.DateTimeField(auto_now=True)
