"""TOKEN_BROKER['IMPORT']: where in the old table the broker's fields are."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.utils.module_loading import import_string

from . import conf

FIELDS = (
    "user_id",
    "refresh_token",
    "access_token",
    "expires_at",
    "scopes",
    "tenant_id",
    "object_id",
    "username",
    "connected_at",
    "updated_at",
)
_NEEDED = ("user_id", "refresh_token", "updated_at")


def problems() -> list[str]:
    """What is wrong with it, each by the names that were given: a column that is mistyped would else be empty in every row."""
    given = conf.values().get("IMPORT") or {}
    if not isinstance(given, dict) or not given.get("MODEL") or not isinstance(given.get("FIELDS"), dict):
        return [
            "TOKEN_BROKER['IMPORT'] must name MODEL ('app.Model') and FIELDS (the broker's name → a column, or a function of the row)"
        ]
    wrong = [
        f"IMPORT FIELDS does not know {name}; it knows {', '.join(FIELDS)}"
        for name in sorted(set(given["FIELDS"]) - set(FIELDS))
    ]
    wrong += [f"IMPORT FIELDS needs {name}" for name in _NEEDED if name not in given["FIELDS"]]
    try:
        model = apps.get_model(given["MODEL"])
    except (LookupError, ValueError):
        return [*wrong, f"IMPORT MODEL {given['MODEL']} is not a model: 'app.Model'"]
    return wrong + [
        f"IMPORT FIELDS {name}: {problem}"
        for name, source in given["FIELDS"].items()
        for problem in _problems_of(model, source)
    ]


def value_of(row: Any, source: Any) -> Any:
    if callable(source):
        return source(row)
    if _is_function(source):
        return import_string(source)(row)
    for name in source.split("__"):
        try:
            row = None if row is None else getattr(row, name)
        except ObjectDoesNotExist:  # nothing at the other end of a relation
            return None
    return row


def _is_function(source: str) -> bool:
    return "." in source


def _problems_of(model: Any, source: Any) -> list[str]:
    if callable(source):
        return []
    if not isinstance(source, str):
        return ["a column, a path across relations, or a function"]
    if _is_function(source):
        try:
            import_string(source)
        except ImportError:
            return [f"{source} cannot be imported"]
        return []
    for name in source.split("__"):
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            # A property, or the column behind a relation (user_id). What lies behind it is known only of a row.
            return [] if hasattr(model, name) else [f"{model._meta.label} has no column {name}"]
        if not hasattr(model, name):
            return [f"{model._meta.label} has no column {name}"]
        if field.related_model is None:
            return []
        model = field.related_model
    return []
