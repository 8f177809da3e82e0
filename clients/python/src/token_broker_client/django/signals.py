"""``integration_event(sender, event)``: sent by ``manage.py token_broker_events`` for each ``Event`` and ``Resync`` of the broker."""

from django.dispatch import Signal

integration_event = Signal()
