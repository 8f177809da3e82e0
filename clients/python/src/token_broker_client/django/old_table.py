"""TOKEN_BROKER['IMPORT']: which rows of the old table are imported, and where the values of a row come from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, FieldError, ObjectDoesNotExist
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.timezone import is_naive, make_aware

from ..answers import ImportRow
from . import conf

KEYS = ("MODEL", "FIELDS", "FILTER", "QUERYSET")
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
    "client_id",
)
_REQUIRED_FIELDS = ("user_id", "refresh_token", "updated_at")
PAGE_ROWS = 500


def problems() -> list[str]:
    """What is wrong with IMPORT. It names columns that do not exist: they would be empty in every row."""
    given = conf.get_settings().get("IMPORT") or {}
    if not isinstance(given, dict) or not given.get("MODEL") or not isinstance(given.get("FIELDS"), dict):
        return [
            "TOKEN_BROKER['IMPORT'] must have MODEL ('app.Model') and FIELDS "
            "(the broker's field → a column, or a function of the row)"
        ]
    fields = given["FIELDS"]
    wrong = [
        f"IMPORT has an unknown key {name}; it can have {', '.join(KEYS)}" for name in sorted(set(given) - set(KEYS))
    ]
    wrong += [
        f"IMPORT FIELDS has an unknown field {name}; it can have {', '.join(FIELDS)}"
        for name in sorted(set(fields) - set(FIELDS))
    ]
    wrong += [f"IMPORT FIELDS needs {name}" for name in _REQUIRED_FIELDS if name not in fields]
    try:
        model = apps.get_model(given["MODEL"])
    except (LookupError, ValueError):
        return [*wrong, f"IMPORT MODEL {given['MODEL']} is not a model: 'app.Model'"]
    wrong += [
        f"IMPORT FIELDS {name}: {text}" for name, source in fields.items() for text in _source_problems(model, source)
    ]
    return wrong + _selection_problems(model, given)


def rows(name_invalid: Callable[[str], None] = lambda text: None) -> Iterator[ImportRow]:
    """The rows to import, in the form of the broker's API.

    A row for which a function of FIELDS fails is not among them: ``name_invalid`` is called with its primary key, the
    field and the type of the exception, whose text may contain a value.

    Reads one page at a time, each when it is needed. A run with --verify takes long, and a user who disconnects
    meanwhile is no longer in the table when their page is read.
    """
    given = conf.get_settings()["IMPORT"]
    selected = _queryset(given).order_by("pk")
    page = list(selected[:PAGE_ROWS])
    while page:
        for row in page:
            values: Any = {}
            name = ""
            try:
                for name, source in given["FIELDS"].items():
                    values[name] = _plain(_value_of(row, source))
            except Exception as error:
                name_invalid(f"row {row.pk} of the old table: invalid: FIELDS {name}: {type(error).__name__}")
                continue
            if _is_blank(values.get("access_token")) or _is_blank(values.get("expires_at")):
                # One says nothing without the other.
                values.pop("access_token", None)
                values.pop("expires_at", None)
            yield values
        page = list(selected.filter(pk__gt=page[-1].pk)[:PAGE_ROWS])


def is_newer(user_id: str, at: datetime) -> bool:
    """Whether the old table has a row of this user that was written after ``at``. Without IMPORT: no."""
    given = conf.get_settings().get("IMPORT")
    if not given:
        return False
    source = given["FIELDS"]["user_id"]
    selected = _queryset(given)
    if isinstance(source, str) and not _is_function(source):
        with contextlib.suppress(FieldError):  # a property: each row is compared
            selected = selected.filter(**{source: user_id})
    for row in selected:
        if str(_value_of(row, source)) == user_id:
            try:
                written = _value_of(row, given["FIELDS"]["updated_at"])
            except Exception:  # of a function of the project: such a row is not imported either
                continue
            if isinstance(written, str):
                written = datetime.fromisoformat(written.replace("Z", "+00:00"))
            if isinstance(written, datetime) and (make_aware(written) if is_naive(written) else written) > at:
                return True
    return False


def _queryset(given: dict[str, Any]) -> QuerySet[Any]:
    function = given.get("QUERYSET")
    if isinstance(function, str):
        function = import_string(function)
    queryset: Any = apps.get_model(given["MODEL"])._default_manager.all() if function is None else function()
    queryset = queryset.filter(**(given.get("FILTER") or {}))
    if queryset.query.distinct_fields:
        # DISTINCT ON needs its own order, but pages are read in the order of the primary key.
        everything = queryset.model._base_manager.using(queryset.db)
        return everything.filter(pk__in=queryset.values("pk"))  # type: ignore[no-any-return]
    return queryset  # type: ignore[no-any-return]


def _selection_problems(model: Any, given: dict[str, Any]) -> list[str]:
    if not isinstance(given.get("FILTER", {}), dict):
        return ["IMPORT FILTER must be a dictionary of field lookups, such as {'provider': 'microsoft'}"]
    has_provider = any(field.name == "provider" for field in model._meta.get_fields())
    if has_provider and "FILTER" not in given and "QUERYSET" not in given:
        return [
            f"{model._meta.label} has a column provider, so it may contain rows of other providers: "
            "select Microsoft's rows with IMPORT FILTER or QUERYSET"
        ]
    try:
        queryset = _queryset(given)
    except ImportError:
        return [f"IMPORT QUERYSET {given['QUERYSET']} cannot be imported"]
    except FieldError as error:  # names fields, not values
        return [f"IMPORT FILTER: {error}"]
    except (AttributeError, TypeError, ValueError) as error:  # the text may contain a value
        return [f"IMPORT FILTER and QUERYSET do not give a queryset: {type(error).__name__}"]
    if queryset.model._meta.concrete_model is not model._meta.concrete_model:
        return [f"IMPORT QUERYSET gives rows of {queryset.model._meta.label}, but MODEL is {model._meta.label}"]
    return []


def _value_of(row: Any, source: Any) -> Any:
    if callable(source):
        return source(row)
    if _is_function(source):
        return import_string(source)(row)
    for name in source.split("__"):
        try:
            row = None if row is None else getattr(row, name)
        except ObjectDoesNotExist:  # the relation is empty
            return None
    return row


def _plain(value: Any) -> Any:
    """As JSON can carry it."""
    if isinstance(value, datetime):
        return (make_aware(value) if is_naive(value) else value).isoformat()
    return value if value is None or isinstance(value, (str, list)) else str(value)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_function(source: str) -> bool:
    return "." in source


def _source_problems(model: Any, source: Any) -> list[str]:
    if callable(source):
        return []
    if not isinstance(source, str):
        return ["must be a column, a path across relations, or a function"]
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
            # A property, or the column of a relation (user_id). Only a row can tell what it contains.
            return [] if hasattr(model, name) else [f"{model._meta.label} has no column {name}"]
        if not hasattr(model, name):
            return [f"{model._meta.label} has no column {name}"]
        if field.related_model is None:
            return []
        model = field.related_model
    return []
