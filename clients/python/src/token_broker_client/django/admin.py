"""The support pages in Django's admin. Django loads this module only if the admin is installed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.db import models
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from ..errors import BrokerError
from . import conf, statuses, support, tokens
from .models import Connection

log = logging.getLogger("token_broker_client")

_LIVE_TIMEOUT_SECONDS = 1.0
_PEOPLE_SHOWN = 20

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Connection]
else:
    _ModelAdmin = admin.ModelAdmin


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
        found = Connection.objects.exclude(reason="").order_by("reason").values_list("reason", flat=True).distinct()
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
        return sorted(_organisations().items(), key=lambda found: found[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Connection]) -> QuerySet[Connection]:
        return queryset.filter(tenant_id=self.value()) if self.value() else queryset


def _organisations() -> dict[str, str]:
    """The domain of one of its accounts says more than the id of a tenant."""
    found = Connection.objects.exclude(tenant_id="").order_by().values_list("tenant_id").annotate(domain=Max("domain"))
    return {tenant_id: domain or tenant_id for tenant_id, domain in found}


@admin.register(Connection)
class ConnectionAdmin(_ModelAdmin):
    list_display = ("person", "shown_state", "who", "why", "account", "organisation", "since", "last_read_at")
    list_display_links = ("person",)
    list_filter = (StateFilter, ReasonFilter, WhoActsFilter, OrganisationFilter)
    list_select_related = ("user",)
    list_per_page = 50
    ordering = ("-since",)
    search_help_text = "Name or address of the user, Microsoft account, or user id at the broker"
    change_list_template = "admin/token_broker/connection/change_list.html"
    actions = None

    # ---- Permissions ----

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # ---- The list ----

    @admin.display(description="user", ordering="user")
    def person(self, connection: Connection) -> str:
        return person_name(connection)

    @admin.display(description="Microsoft account", ordering="username")
    def account(self, connection: Connection) -> str:
        return connection.shown_username or "–"

    @admin.display(description="organisation", ordering="domain")
    def organisation(self, connection: Connection) -> str:
        return connection.domain or connection.tenant_id or "–"

    @admin.display(description="state", ordering="state")
    def shown_state(self, connection: Connection) -> str:
        return gettext(support.STATES.get(connection.shown_state, connection.shown_state))

    @admin.display(description="reason", ordering="reason")
    def why(self, connection: Connection) -> str:
        return support.advise(connection).title or "–"

    @admin.display(description="who must act", ordering="who_acts")
    def who(self, connection: Connection) -> str:
        return support.advise(connection).who_acts or "–"

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return ["broker_user_id", "username", *(f"user__{name}" for name in _user_fields())]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = request.GET.get("q", "").strip()
        people = [
            {"name": str(user), "url": reverse("admin:token_broker_connection_person", args=[quote(user.pk)])}
            for user in (_people_without_row(query) if query else ())
        ]
        context = {
            **(extra_context or {}),
            "people": people,
            "is_fresh": statuses.is_fresh(),
            "overview_url": reverse("admin:token_broker_connection_overview"),
        }
        return super().changelist_view(request, context)

    # ---- Other pages ----

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"token_broker_connection_{name}")

        return [
            own("overview/", self.overview_view, "overview"),
            own("person/<str:user_key>/", self.person_view, "person"),
            own("person/<str:user_key>/link/", self.person_link_view, "person_link"),
            own("<str:object_id>/disconnect/", self.disconnect_view, "disconnect"),
            own("<str:object_id>/link/", self.link_view, "link"),
            own("<str:object_id>/message/", self.message_view, "message"),
            *super().get_urls(),
        ]

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """Who must reconnect, by reason and organisation."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        groups = (
            Connection.objects.filter(state=Connection.RECONNECT_REQUIRED, frozen="")
            .order_by()
            .values("tenant_id", "reason", "who_acts")
            .annotate(users=Count("pk"), oldest=models.Min("since"))
            .order_by("-users", "tenant_id", "reason")
        )
        names, rows = _organisations(), []
        changelist = reverse("admin:token_broker_connection_changelist")
        for group in groups:
            query = {"state": Connection.RECONNECT_REQUIRED, "reason": group["reason"]}
            if group["tenant_id"]:
                query["organisation"] = group["tenant_id"]
            rows.append(
                {
                    "organisation": names.get(group["tenant_id"], "–"),
                    "tenant_id": group["tenant_id"],
                    "reason": support.reason_words(group["reason"], group["who_acts"]),
                    "code": group["reason"],
                    "who": support.who_words(group["who_acts"]),
                    "users": group["users"],
                    "oldest": group["oldest"],
                    "url": f"{changelist}?{urlencode(query)}",
                }
            )
        context = {"title": "Who must reconnect", "rows": rows, "is_fresh": statuses.is_fresh()}
        return self._render(request, "overview.html", context)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        connection = self._connection(request, object_id)
        live = _ask(connection.broker_user_id)
        return self._detail(request, statuses.find(connection.broker_user_id) or connection, live)

    def person_view(self, request: HttpRequest, user_key: str) -> HttpResponse:
        """A user whom the list does not have."""
        connection = self._unknown(request, user_key)
        live = _ask(connection.broker_user_id)
        if statuses.find(connection.broker_user_id) is not None:
            # They are connected, and the events have not brought it here yet.
            Connection.objects.filter(pk=connection.broker_user_id, user=None).update(user=connection.user)
            return HttpResponseRedirect(_url("change", connection))
        return self._detail(request, connection, live)

    def _detail(self, request: HttpRequest, connection: Connection, live: dict[str, Any]) -> HttpResponse:
        is_stored = not connection._state.adding
        message = support.message_for_it(connection)
        actions = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(Connection), object_id=connection.broker_user_id
        ).select_related("user")
        advice = support.advise(connection)
        context = {
            "title": f"Microsoft connection of {person_name(connection)}",
            "connection": connection,
            "person": person_name(connection),
            "person_url": self._user_url(request, connection),
            "advice": advice,
            "organisation": _organisations().get(connection.tenant_id, ""),
            "microsoft": support.microsoft_line(connection.microsoft),
            "live": live,
            "history": support.history(connection),
            "log_entries": actions[:20],
            "message": message,
            "message_url": _url("message", connection) if message else "",
            "link_url": self._link_url(connection) if advice.can_send_link and self._may(request, "send") else "",
            "disconnect_url": _url("disconnect", connection)
            if is_stored and connection.state != Connection.DISCONNECTED and self._may(request, "disconnect")
            else "",
            "is_fresh": statuses.is_fresh(),
        }
        return self._render(request, "detail.html", context)

    def _user_url(self, request: HttpRequest, connection: Connection) -> str:
        model = get_user_model()
        if connection.user is None or not self.admin_site.is_registered(model):
            return ""
        opts = model._meta
        if not request.user.has_perm(f"{opts.app_label}.view_{opts.model_name}"):
            return ""
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[quote(connection.user.pk)])

    # ---- Actions ----

    def disconnect_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection = self._connection(request, object_id, "disconnect")
        if request.method != "POST":
            context = {
                "title": "Disconnect from Microsoft?",
                "connection": connection,
                "person": person_name(connection),
                "back_url": _url("change", connection),
            }
            return self._render(request, "disconnect.html", context)
        is_done = tokens.disconnect_id(connection.broker_user_id, ended_by="support")
        self._log(request, connection, "Disconnected" if is_done else "Disconnect ordered, the broker did not answer")
        if is_done:
            messages.success(request, gettext("The user is disconnected."))
        else:
            messages.warning(
                request,
                gettext(
                    "The broker does not answer. This site gives out no token of the user from now on, and the "
                    "disconnect is sent to the broker when it answers again."
                ),
            )
        return HttpResponseRedirect(_url("change", connection))

    def link_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection = self._connection(request, object_id, "send")
        return self._link(request, connection, _url("change", connection))

    def person_link_view(self, request: HttpRequest, user_key: str) -> HttpResponse:
        connection = self._unknown(request, user_key, "send")
        return self._link(request, connection, reverse("admin:token_broker_connection_person", args=[user_key]))

    def _link(self, request: HttpRequest, connection: Connection, back_url: str) -> HttpResponse:
        base_url = support.base_url() or request.build_absolute_uri("/")
        if request.method == "POST":
            self._mail(request, connection, "Link sent by mail", lambda: support.send_link(connection, base_url))
            return HttpResponseRedirect(back_url)
        self._log(request, connection, "Link shown")
        context = {
            "title": "Link for connecting",
            "connection": connection,
            "person": person_name(connection),
            "advice": support.advise(connection),
            "link": support.link(connection, base_url),
            "address": support.mail_address(connection.user),
            "back_url": back_url,
        }
        return self._render(request, "link.html", context)

    def message_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET shows it, for everybody who may see the connection. POST sends it to the user."""
        connection = self._connection(request, object_id, "send" if request.method == "POST" else None)
        message = support.message_for_it(connection)
        if message is None:
            raise Http404
        if request.method == "POST":
            self._mail(request, connection, "Message for IT sent by mail", lambda: support.send_message(connection))
            return HttpResponseRedirect(_url("change", connection))
        context = {
            "title": "Message for the organisation’s IT",
            "connection": connection,
            "person": person_name(connection),
            "message": message,
            "address": support.mail_address(connection.user) if self._may(request, "send") else "",
            "back_url": _url("change", connection),
        }
        return self._render(request, "message.html", context)

    def _mail(self, request: HttpRequest, connection: Connection, done: str, send: Callable[[], bool]) -> None:
        try:
            is_sent = send()
        except Exception as error:  # of any mail backend; its text may contain a password
            log.warning("a mail of the support pages was not sent: %s", type(error).__name__)
            self._log(request, connection, f"{done}: failed")
            messages.error(request, gettext("The mail was not sent: the mail server of this site does not accept it."))
            return
        if not is_sent:
            messages.error(request, gettext("This user has no mail address here. Give them the text another way."))
            return
        self._log(request, connection, done)
        messages.success(request, gettext("The mail is sent."))

    # ---- Parts ----

    def _may(self, request: HttpRequest, action: str) -> bool:
        name = {"send": "send_connection_link", "disconnect": "disconnect_connection"}[action]
        return request.user.has_perm(f"token_broker.{name}")

    def _check(self, request: HttpRequest, action: str | None) -> None:
        if not self.has_view_permission(request) or (action is not None and not self._may(request, action)):
            raise PermissionDenied

    def _connection(self, request: HttpRequest, object_id: str, action: str | None = None) -> Connection:
        self._check(request, action)
        found = statuses.find(unquote(object_id))
        if found is None:
            raise Http404
        return found

    def _unknown(self, request: HttpRequest, user_key: str, action: str | None = None) -> Connection:
        self._check(request, action)
        try:
            user: Any = get_user_model()._default_manager.get(pk=unquote(user_key))
        except (get_user_model().DoesNotExist, ValueError, ValidationError):
            raise Http404 from None
        user_id = conf.usable_user_id(user)
        if user_id is None:
            raise Http404
        stored = statuses.find(user_id)
        return stored or Connection(broker_user_id=user_id, user=user, state=support.NEVER_CONNECTED)

    def _link_url(self, connection: Connection) -> str:
        if not connection._state.adding:
            return _url("link", connection)
        assert connection.user is not None
        return reverse("admin:token_broker_connection_person_link", args=[quote(connection.user.pk)])

    def _log(self, request: HttpRequest, connection: Connection, what: str) -> None:
        LogEntry.objects.create(
            user_id=request.user.pk,
            content_type_id=ContentType.objects.get_for_model(Connection).pk,
            object_id=connection.broker_user_id,
            object_repr=person_name(connection)[:200],
            action_flag=CHANGE,
            change_message=what,
        )

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        base = {**self.admin_site.each_context(request), "opts": self.model._meta, "media": self.media}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/token_broker/connection/{template}", {**base, **context})


def person_name(connection: Connection) -> str:
    user: Any = connection.user
    if user is None:
        return connection.broker_user_id
    name = user.get_full_name() if hasattr(user, "get_full_name") else ""
    return f"{name} ({user})" if name and name != str(user) else str(user)


def _url(name: str, connection: Connection) -> str:
    return reverse(f"admin:token_broker_connection_{name}", args=[quote(connection.broker_user_id)])


def _ask(broker_user_id: str) -> dict[str, Any]:
    """What the broker says now, for the page: it works without an answer."""
    try:
        found = statuses.ask(broker_user_id, _LIVE_TIMEOUT_SECONDS)
    except BrokerError as error:
        return {"failure": error.code, "request_id": error.request_id}
    return {"integration": found}


def _user_fields() -> list[str]:
    """Text columns of the project's user model by which people are found."""
    model: Any = get_user_model()
    wanted = (model.USERNAME_FIELD, model.get_email_field_name(), "first_name", "last_name", "full_name", "name")
    found = []
    for name in dict.fromkeys(wanted):
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        if isinstance(field, models.CharField | models.TextField):
            found.append(name)
    return found


def _people_without_row(query: str) -> Iterable[Any]:
    model: Any = get_user_model()
    fields, condition = _user_fields(), Q()
    for word in query.split():
        one = Q()
        for name in fields:
            one |= Q(**{f"{name}__icontains": word})
        condition &= one
    if not fields:
        return ()
    stored = Connection.objects.exclude(user=None).values("user")
    found: Iterable[Any] = (
        model._default_manager.filter(condition).exclude(pk__in=stored).order_by("pk")[:_PEOPLE_SHOWN]
    )
    return found
