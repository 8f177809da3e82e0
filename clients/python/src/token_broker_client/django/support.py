"""What the support pages say about a connection, and the mails to its user. No HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from . import conf, texts
from .attempts import Unfinished
from .failures import connect_url
from .models import Connection, ConnectionEvent, visible

NEVER_CONNECTED = "not_connected"

STATES = {
    "connected": "Connected",
    "degraded": "Connected, but Microsoft gives no new token now",
    "reconnect_required": "Does not work",
    "frozen": "Paused",
    "disconnected": "Disconnected",
    NEVER_CONNECTED: "Never connected",
}
_NOT_WORKING = (NEVER_CONNECTED, "disconnected", "reconnect_required")
WHO_ACTS = {
    "user": "The user",
    "tenant_admin": "The organisation's IT",
    "ops": "The people who run the token broker",
    "nobody": "Nobody: the broker tries again",
    "": "",
}
ENDED_BY = {
    "support": "Somebody in support disconnected this user on this page. See the actions below.",
    "site": "This site disconnected the user: the user did it here, or was deactivated.",
    "elsewhere": "The user disconnected on the page of their Microsoft connection, or the people who run the token "
    "broker did it.",
    "unused": "The broker disconnected the user, because nobody had used the connection for a long time.",
}
EVENTS = {
    "connected": "Connected",
    "reconnected": "Connected again",
    "recovered": "Works again without a connect",
    "reconnect_required": "Stopped working",
    "disconnected": "Disconnected",
    "imported": "Imported from the old table",
    "frozen": "Paused",
    "unfrozen": "No longer paused",
}


@dataclass(frozen=True)
class Advice:
    state: str
    title: str
    """Why, in words for the user."""
    happened: str
    who_acts: str
    """In words; empty if all is well."""
    steps: list[str]
    """What somebody in support does now."""
    can_send_link: bool
    has_message: bool
    """There is a text for the organisation's IT."""


def advise(connection: Connection, attempt: Unfinished | None = None) -> Advice:
    """``attempt``: the last one to connect, if nothing was connected by it."""
    state = connection.shown_state
    if is_deactivated(connection.user):
        steps = [
            gettext("This user is deactivated here and cannot log in. So no link helps, and no mail is sent."),
            gettext("If they should use Microsoft 365 here again, activate the user first."),
        ]
        who = gettext("Nobody, as long as the user is deactivated")
        return Advice(_state(state), gettext("deactivated here"), "", who, steps, False, False)
    if state == "frozen":
        why = texts.explain("frozen", connection.frozen, "ops")
        steps = [
            gettext("Access is paused on purpose. Ask the people who run the token broker why and for how long."),
            gettext("Do not send a link: a connect does not help. Nothing was deleted, and nobody must connect again."),
        ]
        return Advice(_state(state), why.title, why.happened, _who("ops"), steps, False, False)
    if state == "connected":
        steps = [gettext("Nothing to do here. If the user sees an error, look at the error itself.")]
        if connection.missing_scopes:
            steps = [gettext("Some permissions are missing. Send the link: the user approves them in a new connect.")]
        if attempt is not None and attempt.reason == "other_account":
            steps = [gettext(_CHOSE_ANOTHER_ACCOUNT)]
        return Advice(_state(state), "", "", "", steps, bool(connection.missing_scopes), False)
    if attempt is not None and state in _NOT_WORKING and connection.who_acts in ("user", ""):
        return _advise_after(state, attempt)
    if state in (NEVER_CONNECTED, "disconnected"):
        happened = gettext(ENDED_BY.get(connection.ended_by, "")) if connection.ended_by else ""
        steps = [gettext("If the user wants to use Microsoft 365 here, send the link. Only the user can connect.")]
        return Advice(_state(state), "", happened, _who("user"), steps, True, False)
    code = "reconnect_required" if state == "reconnect_required" else "microsoft_unavailable"
    why = texts.explain(code, connection.reason or None, connection.who_acts or None)
    return Advice(
        _state(state),
        why.title,
        why.happened,
        _who(connection.who_acts),
        _steps(state, connection.who_acts),
        connection.who_acts in ("user", "") and state == "reconnect_required",
        texts.is_for_administrators(connection.reason),
    )


_CHOSE_ANOTHER_ACCOUNT = gettext_noop(
    "The user chose another Microsoft account than the connected one, and stays connected with that. If they want the "
    "other one, they disconnect first, and then connect again."
)
_OR_THE_USER = gettext_noop("The organisation's IT, or the user if they clicked “Cancel” at Microsoft")


def _advise_after(state: str, attempt: Unfinished) -> Advice:
    """Only a new connect helps. First it must be possible."""
    send_link = gettext("Send the link. The user logs in here and connects again. Only the user can do it.")
    if not attempt.is_refused:
        steps = [
            gettext("The user began to connect and has not come back from Microsoft. Ask what they see there."),
            gettext("If it is “Need admin approval”: send the user the message for their IT (button below)."),
            gettext("If not: send the link."),
        ]
        title = gettext("A connect was begun and not completed")
        return Advice(_state(state), title, "", _who("user"), steps, True, True)
    why = texts.explain("connect_refused", attempt.reason or None, attempt.who_acts or None)
    has_message, who, can_send_link = texts.is_for_administrators(attempt.reason), _who(attempt.who_acts), True
    if attempt.who_acts == "tenant_admin":
        can_send_link = False
        steps = [
            gettext("Send the user the message for their IT (button below). They pass it on."),
            gettext("A connect fails until their IT has acted. Then the user connects again."),
        ]
    elif has_message:
        # Microsoft does not tell the two apart.
        who = gettext(_OR_THE_USER)
        steps = [
            gettext("If the user saw “Need admin approval”: send them the message for their IT (button below)."),
            gettext("If they clicked “Cancel” themselves: send the link."),
        ]
    elif attempt.who_acts == "ops":
        can_send_link = False
        steps = [_steps("", "ops")[0]]
    elif attempt.who_acts == "nobody":
        steps = [gettext("Wait some minutes. Then send the link.")]
    else:
        steps = [send_link]
    return Advice(_state(state), why.title, why.happened, who, steps, can_send_link, has_message)


def outcome_words(attempt: Unfinished | None) -> str:
    if attempt is None:
        return ""
    if not attempt.is_refused:
        return gettext("Begun, not completed")
    return texts.explain("connect_refused", attempt.reason or None, attempt.who_acts or None).title


def _steps(state: str, who_acts: str) -> list[str]:
    if state == "degraded":
        steps = [gettext("The user can work as long as the present token is valid. Nobody has to connect again.")]
        return steps if who_acts != "ops" else [*steps, *_steps("", "ops")]
    if who_acts == "tenant_admin":
        return [
            gettext("Send the user the message for their IT (button below). They pass it on."),
            gettext("Do not send a link: a connect fails until their IT has acted. Then it works again without one."),
        ]
    if who_acts == "ops":
        return [
            gettext("Tell the people who run the token broker: the user id, the reason, and Microsoft's ids below."),
            gettext("The user can do nothing. It works again without a connect."),
        ]
    if who_acts == "nobody":
        return [gettext("Wait. If it does not work again within an hour, tell the people who run the token broker.")]
    return [gettext("Send the link. The user logs in here and connects again. Only the user can do it.")]


def _state(state: str) -> str:
    return gettext(STATES.get(state, state))


def _who(who_acts: str) -> str:
    return gettext(WHO_ACTS[who_acts]) if WHO_ACTS.get(who_acts) else who_acts


def who_words(who_acts: str) -> str:
    return _who(who_acts)


def reason_words(reason: str, who_acts: str = "") -> str:
    return texts.explain("reconnect_required", reason, who_acts or None).title if reason else ""


@dataclass(frozen=True)
class Line:
    at: Any
    what: str
    account: str
    why: str
    ids: str


def history(connection: Connection, limit: int = 50) -> list[Line]:
    """The newest first, with the freezes of the organisation."""
    own = ConnectionEvent.objects.filter(broker_user_id=connection.broker_user_id)
    if connection.tenant_id:
        own = own | ConnectionEvent.objects.filter(tenant_id=connection.tenant_id, broker_user_id="")
    return [
        Line(
            event.at,
            gettext(EVENTS.get(event.type) or event.type),
            visible(event.username),
            gettext("the whole organisation") if event.tenant_id else reason_words(event.reason),
            microsoft_line(event.microsoft),
        )
        for event in own.order_by("-at", "-event_id")[:limit]
    ]


def microsoft_line(microsoft: Mapping[str, Any]) -> str:
    """What Microsoft's support and an administrator search their logs for, in one line."""
    facts = (
        microsoft.get("error"),
        f"AADSTS{microsoft['aadsts']}" if microsoft.get("aadsts") else None,
        f"Correlation ID {microsoft['correlation_id']}" if microsoft.get("correlation_id") else None,
        f"Trace ID {microsoft['trace_id']}" if microsoft.get("trace_id") else None,
        microsoft.get("timestamp"),
    )
    return ", ".join(visible(str(fact)) for fact in facts if fact)


@dataclass(frozen=True)
class Message:
    subject: str
    text: str


def message_for_it(connection: Connection, attempt: Unfinished | None = None) -> Message | None:
    """In the name of the user, who sends it to the IT of their organisation. None: their IT cannot help."""
    connection = _after(connection, attempt)
    if is_deactivated(connection.user):
        return None
    if not texts.is_for_administrators(connection.reason) or connection.shown_state == "frozen":
        return None
    answer = microsoft_line(connection.microsoft)
    lines = [
        texts.text("adminMessage.hello"),
        "",
        f"{texts.text('adminMessage.want')} {texts.text(f'adminRequests.{connection.reason}')}",
        "",
        *(
            [texts.text("adminMessage.explained"), connection.admin_consent_url, ""]
            if connection.admin_consent_url
            else []
        ),
        f"{texts.text('adminMessage.app')}: {texts.text('product')}",
        *([f"{texts.text('django.account')}: {connection.shown_username}"] if connection.username else []),
        *([f"{texts.text('adminMessage.microsoft')}: {answer}"] if answer else []),
        "",
        texts.text("adminMessage.thanks"),
    ]
    approves = connection.reason in ("not_approved", "consent_required", "admin_consent_required")
    subject = texts.text("adminMessage.approveSubject" if approves else "adminMessage.helpSubject")
    return Message(subject, "\n".join(lines))


def _after(connection: Connection, attempt: Unfinished | None) -> Connection:
    """With the reason of the attempt, where ``advise`` speaks of it."""
    if attempt is None or connection.shown_state not in _NOT_WORKING or connection.who_acts not in ("user", ""):
        return connection
    found = copy(connection)
    found.reason = attempt.reason if attempt.is_refused else "admin_consent_required"
    found.who_acts, found.microsoft = attempt.who_acts, dict(attempt.microsoft)
    found.username = attempt.username or connection.username
    found.admin_consent_url = attempt.admin_consent_url
    return found


# ---- Mails ----


def link(connection: Connection, base_url: str) -> str:
    """The connect page of this site. It is no secret: people must log in before they see it."""
    reason = connection.reason if connection.state == Connection.RECONNECT_REQUIRED else None
    return urljoin(base_url, connect_url(None, reason))


def is_deactivated(user: Any) -> bool:
    return user is not None and not user.is_active


def mail_address(user: Any) -> str:
    """Empty: the user has none."""
    return str(getattr(user, user.get_email_field_name(), "") or "") if user is not None else ""


def send_link(connection: Connection, base_url: str) -> bool:
    """The mail with the link. False: the user has no address, or is deactivated. Raises what the mail backend
    raises."""
    is_sent = _send("reconnect", connection, {"url": link(connection, base_url)})
    if is_sent:
        # Only this mail counts for reminders. After the message for IT one must still come.
        Connection.objects.filter(pk=connection.pk).update(reminded_at=timezone.now())
    return is_sent


def send_message(connection: Connection, attempt: Unfinished | None = None) -> bool:
    """The mail with the message for the organisation's IT, as ``send_link``."""
    message = message_for_it(connection, attempt)
    return message is not None and _send("it_message", _after(connection, attempt), {"message": message})


def _send(name: str, connection: Connection, extra: dict[str, Any]) -> bool:
    address = mail_address(connection.user)
    if not address or is_deactivated(connection.user):
        return False
    why = None
    if connection.state == Connection.RECONNECT_REQUIRED or name == "it_message":
        why = texts.explain("reconnect_required", connection.reason or None, connection.who_acts or None)
    context = {"connection": connection, "user": connection.user, "why": why, **extra}
    subject = " ".join(render_to_string(f"token_broker/mail/{name}_subject.txt", context).split())
    body = render_to_string(f"token_broker/mail/{name}.txt", context).strip() + "\n"
    EmailMessage(subject, body, to=[address]).send()
    return True


def base_url() -> str:
    """The setting SITE_URL: for mails that no request sends."""
    return str(conf.get_settings().get("SITE_URL") or "")
