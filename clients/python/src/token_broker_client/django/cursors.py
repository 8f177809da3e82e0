from __future__ import annotations

from .models import EventCursor


class DatabaseCursor:
    """A cursor in Django's database. It is saved after the events before it were handled."""

    def __init__(self, name: str = "default") -> None:
        self._name = name

    def load(self) -> str | None:
        found = EventCursor.objects.filter(name=self._name).first()
        return None if found is None else found.cursor

    def save(self, cursor: str) -> None:
        EventCursor.objects.update_or_create(name=self._name, defaults={"cursor": cursor})
