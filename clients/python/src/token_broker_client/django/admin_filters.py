"""The filters of the list of connections in Django's admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest

from . import support
from .models import Connection


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, words) for state, words in support.STATES.items() if state != support.NEVER_CONNECTED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Connection]) -> QuerySet[Connection]:
        value = self.value()
        return queryset if value is None else queryset.filter(_in_state(value))


def _in_state(value: str) -> Q:
    """As ``Connection.shown_state``."""
    if value == Connection.DISCONNECTED:
        return Q(state=value)
    if value == "frozen":
        return ~Q(frozen="") & ~Q(state=Connection.DISCONNECTED)
    is_degraded = value == "degraded"
    found = Q(state=Connection.CONNECTED if is_degraded else value, frozen="")
    if value == Connection.RECONNECT_REQUIRED:
        return found
    return found & ~Q(reason="") if is_degraded else found & Q(reason="")


class ReasonFilter(admin.SimpleListFilter):
    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request)
        found = rows.exclude(reason="").order_by("reason").values_list("reason", flat=True).distinct()
        return [(reason, support.reason_words(reason)) for reason in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Connection]) -> QuerySet[Connection]:
        return queryset.filter(reason=self.value()) if self.value() else queryset


class WhoActsFilter(admin.SimpleListFilter):
    title = "who must act"
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(who, words) for who, words in support.WHO_ACTS.items() if who]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Connection]) -> QuerySet[Connection]:
        value: str | None = self.value()
        if not value:
            return queryset
        # A freeze comes before all else that is wrong.
        found = Q(who_acts=value) & ~_in_state("frozen")
        if value == "ops":
            found = found | _in_state("frozen")
        rows: QuerySet[Connection] = queryset.filter(found)
        return rows


class OrganisationFilter(admin.SimpleListFilter):
    title = "organisation"
    parameter_name = "organisation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(organisations(model_admin.get_queryset(request)).items(), key=lambda found: found[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Connection]) -> QuerySet[Connection]:
        return queryset.filter(tenant_id=self.value()) if self.value() else queryset


def organisations(rows: QuerySet[Connection]) -> dict[str, str]:
    """The domain of one of its accounts says more than the id of a tenant."""
    found = rows.exclude(tenant_id="").order_by().values_list("tenant_id").annotate(domain=Max("domain"))
    return {tenant_id: domain or tenant_id for tenant_id, domain in found}
