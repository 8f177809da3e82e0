"""``integration_event(sender, event)``: ``manage.py token_broker_events`` sends it for each ``Event`` and ``Resync``
of the broker."""

from django.dispatch import Signal

integration_event = Signal()
