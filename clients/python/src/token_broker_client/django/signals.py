"""``integration_event(sender, event)``: ``manage.py token_broker_events`` sends it for each ``Event`` and ``Resync``
of the broker.

``connected``, ``disconnected``, ``needs_reconnect``, ``recovered`` and ``frozen`` ``(sender, connection, user, event)``
follow when the status of the connection is stored, in the same transaction. ``connection``: a ``Connection``; None for
a freeze that concerns more than one user. ``user`` may be None. ``event``: None if the change was found in a list of
all connections, because its event is not kept any longer. The first list sends none of them.
"""

from django.dispatch import Signal

integration_event = Signal()
connected = Signal()
disconnected = Signal()
needs_reconnect = Signal()
recovered = Signal()
"""It works again without a connect, for example because an administrator has solved the problem or a freeze ended."""
frozen = Signal()
