"""The support pages in Django's admin. Django loads this module only if the admin is installed."""

from __future__ import annotations

import functools
import logging
import time
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
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from ..errors import BrokerError
from . import attempts, conf, statuses, support, tokens
from .admin_filters import OrganisationFilter, ReasonFilter, StateFilter, WhoActsFilter, organisations
from .models import Connection

log = logging.getLogger("token_broker_client")

_LIVE_TIMEOUT_SECONDS = 1.0
_PEOPLE_SHOWN = 20

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Connection]
else:
    _ModelAdmin = admin.ModelAdmin


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

    def get_users(self, request: HttpRequest) -> QuerySet[Any]:
        """Users who can be found although they have no row. A project that limits ``get_queryset`` limits this too."""
        users: QuerySet[Any] = get_user_model()._default_manager.all()
        return users

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return ["broker_user_id", "username", *(f"user__{name}" for name in _user_fields())]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = request.GET.get("q", "").strip()
        people = [
            {"name": str(user), "url": reverse("admin:token_broker_connection_person", args=[quote(user.pk)])}
            for user in (_people_without_row(self.get_users(request), query) if query else ())
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
            own("person/<str:user_key>/message/", self.person_message_view, "person_message"),
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
            self.get_queryset(request)
            .filter(state=Connection.RECONNECT_REQUIRED, frozen="")
            .order_by()
            .values("tenant_id", "reason", "who_acts")
            .annotate(users=Count("pk"), oldest=models.Min("since"))
            .order_by("-users", "tenant_id", "reason")
        )
        names, rows = organisations(self.get_queryset(request)), []
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
        return self._detail(request, self._find(request, connection.broker_user_id) or connection, live)

    def person_view(self, request: HttpRequest, user_key: str) -> HttpResponse:
        """A user whom the list does not have."""
        connection = self._unknown(request, user_key)
        live = _ask(connection.broker_user_id)
        if self._find(request, connection.broker_user_id) is not None:
            # They are connected, and the events have not brought it here yet.
            Connection.objects.filter(pk=connection.broker_user_id, user=None).update(user=connection.user)
            return HttpResponseRedirect(_url("change", connection))
        return self._detail(request, connection, live)

    def _detail(self, request: HttpRequest, connection: Connection, live: dict[str, Any]) -> HttpResponse:
        is_stored = not connection._state.adding
        attempt = attempts.last_unfinished(connection, live["seconds_left"])
        message = support.message_for_it(connection, attempt)
        actions = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(Connection), object_id=connection.broker_user_id
        ).select_related("user")
        advice = support.advise(connection, attempt)
        context = {
            "title": f"Microsoft connection of {person_name(connection)}",
            "connection": connection,
            "person": person_name(connection),
            "person_url": self._user_url(request, connection),
            "advice": advice,
            "organisation": organisations(self.get_queryset(request)).get(connection.tenant_id, ""),
            "microsoft": support.microsoft_line(connection.microsoft),
            "live": live,
            "attempt": attempt,
            "attempt_outcome": support.outcome_words(attempt),
            "attempt_microsoft": support.microsoft_line(attempt.microsoft) if attempt else "",
            "history": support.history(connection),
            "log_entries": actions[:20],
            "message": message,
            "message_url": self._person_url("message", connection) if message and self._may(request, "send") else "",
            "link_url": self._person_url("link", connection)
            if advice.can_send_link and self._may(request, "send")
            else "",
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
        send = functools.partial(support.send_link, connection, base_url)
        context = {
            "title": "Link for connecting",
            "advice": support.advise(connection, attempts.last_unfinished(connection, None)),
            "link": support.link(connection, base_url),
        }
        return self._show_or_send(request, connection, "Link", send, "link.html", {**context, "back_url": back_url})

    def message_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection = self._connection(request, object_id, "send")
        return self._message(request, connection, _url("change", connection))

    def person_message_view(self, request: HttpRequest, user_key: str) -> HttpResponse:
        connection = self._unknown(request, user_key, "send")
        return self._message(request, connection, reverse("admin:token_broker_connection_person", args=[user_key]))

    def _message(self, request: HttpRequest, connection: Connection, back_url: str) -> HttpResponse:
        attempt = attempts.last_unfinished(connection, _LIVE_TIMEOUT_SECONDS)
        message = support.message_for_it(connection, attempt)
        if message is None:
            raise Http404
        send = functools.partial(support.send_message, connection, attempt)
        context = {"title": "Message for the organisation’s IT", "message": message, "back_url": back_url}
        return self._show_or_send(request, connection, "Message for IT", send, "message.html", context)

    def _show_or_send(
        self,
        request: HttpRequest,
        connection: Connection,
        what: str,
        send: Callable[[], bool],
        template: str,
        context: dict[str, Any],
    ) -> HttpResponse:
        """GET shows the buttons only: a link on another site must not write a ``LogEntry``."""
        is_shown = request.method == "POST" and request.POST.get("do") == "show"
        if request.method == "POST" and not is_shown:
            self._mail(request, connection, f"{what} sent by mail", send)
            return HttpResponseRedirect(context["back_url"])
        if is_shown:
            self._log(request, connection, f"{what} shown")
        shown = {
            "connection": connection,
            "person": person_name(connection),
            "is_shown": is_shown,
            "address": "" if support.is_deactivated(connection.user) else support.mail_address(connection.user),
        }
        return self._render(request, template, {**shown, **context})

    def _mail(self, request: HttpRequest, connection: Connection, done: str, send: Callable[[], bool]) -> None:
        try:
            is_sent = send()
        except Exception as error:  # of any mail backend; its text may contain a password
            log.warning("a mail of the support pages was not sent: %s", type(error).__name__)
            self._log(request, connection, f"{done}: failed")
            messages.error(request, gettext("The mail was not sent: the mail server of this site does not accept it."))
            return
        if not is_sent:
            messages.error(request, gettext("No mail is sent: this user has no mail address here, or is deactivated."))
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
        found = self._find(request, unquote(object_id))
        if found is None:
            raise Http404
        return found

    def _find(self, request: HttpRequest, broker_user_id: str) -> Connection | None:
        """A project may limit who sees which row by ``get_queryset``."""
        found: Connection | None = self.get_queryset(request).select_related("user").filter(pk=broker_user_id).first()
        return found

    def _unknown(self, request: HttpRequest, user_key: str, action: str | None = None) -> Connection:
        self._check(request, action)
        try:
            user: Any = self.get_users(request).get(pk=unquote(user_key))
        except (get_user_model().DoesNotExist, ValueError, ValidationError):
            raise Http404 from None
        broker_user_id = conf.usable_user_id(user)
        if broker_user_id is None:
            raise Http404
        stored = self._find(request, broker_user_id)
        if stored is None and statuses.find(broker_user_id) is not None:
            raise Http404
        return stored or Connection(broker_user_id=broker_user_id, user=user, state=support.NEVER_CONNECTED)

    def _person_url(self, name: str, connection: Connection) -> str:
        if not connection._state.adding:
            return _url(name, connection)
        assert connection.user is not None
        return reverse(f"admin:token_broker_connection_person_{name}", args=[quote(connection.user.pk)])

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
    """What the broker says now, for the page: it works without an answer. ``seconds_left``: for another call; None: it
    does not answer."""
    begun_at = time.monotonic()
    try:
        found = statuses.ask(broker_user_id, _LIVE_TIMEOUT_SECONDS)
    except BrokerError as error:
        return {"failure": error.code, "request_id": error.request_id, "seconds_left": None}
    spent = time.monotonic() - begun_at
    return {"integration": found, "seconds_left": max(_LIVE_TIMEOUT_SECONDS - spent, 0.1)}


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


def _people_without_row(users: QuerySet[Any], query: str) -> Iterable[Any]:
    fields, condition = _user_fields(), Q()
    for word in query.split():
        one = Q()
        for name in fields:
            one |= Q(**{f"{name}__icontains": word})
        condition &= one
    if not fields:
        return ()
    stored = Connection.objects.exclude(user=None).values("user")
    found: Iterable[Any] = users.filter(condition).exclude(pk__in=stored).order_by("pk")[:_PEOPLE_SHOWN]
    return found
