import json
import urllib.request

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, login, logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from token_broker_client import claims_of
from token_broker_client.django.conf import get_client
from token_broker_client.django.decorators import microsoft_required
from token_broker_client.django.tokens import get_token

from .graph import Graph, is_unauthorized


def broker_id_of(user):
    """The broker's id of a user."""
    return user.username


def user_of_broker_id(broker_user_id):
    """The user of an id of the broker."""
    return get_user_model().objects.get(username=broker_user_id)


def with_graph(user, work):
    """Calls ``work`` with a Graph client. If Graph answers 401, calls it once more with a later token, and passes on a
    claims challenge.

    Returns the token too, because the pages of the sandbox show it. A real project uses ``with_token``.
    """
    token = get_token(user)
    try:
        return token, work(Graph(token.access_token))
    except Exception as error:
        if not is_unauthorized(error):
            raise
        claims = claims_of(error)
    later = get_client().refresh(token, claims=claims)
    return later, work(Graph(later.access_token))


@login_required
def home(request):
    return render(request, "home.html")


@login_required
@microsoft_required
def documents(request):
    token, (me, files) = with_graph(request.user, lambda graph: (graph.me(), graph.files()))
    return render(request, "documents.html", {"token": token, "me": me, "files": files})


@login_required
@microsoft_required
def document(request, item):
    if request.method == "POST":
        # Browsers send CR LF for the line ends of a textarea.
        text = request.POST.get("text", "").replace("\r\n", "\n")
        with_graph(request.user, lambda graph: graph.write(item, text))
        messages.success(request, "Saved to Microsoft 365.")
        return redirect("document", item=item)
    token, (file, text) = with_graph(request.user, lambda graph: (graph.file(item), graph.read(item)))
    return render(request, "document.html", {"token": token, "file": file, "text": text})


def log_in(request):
    """Invented people without passwords: this is a sandbox."""
    people = get_user_model().objects.filter(username__startswith="u-").order_by("username")
    next_url = request.POST.get("next") or request.GET.get("next") or "/"
    if not url_has_allowed_host_and_scheme(next_url, allowed_hosts={request.get_host()}):
        next_url = "/"
    person = people.filter(username=request.POST.get("user", "")).first() if request.method == "POST" else None
    if person is None:
        return render(request, "login.html", {"people": people, "next": next_url})
    login(request, person, backend="django.contrib.auth.backends.ModelBackend")
    return redirect(next_url)


@require_POST
def log_out(request):
    logout(request)
    return redirect("login")


def no_content(request):
    return HttpResponse(status=204)


# ---- Controls of the sandbox. A real MEGDocs has none. ----


def ask_sandbox(data=None):
    assert settings.SANDBOX_CONTROLS_URL
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(settings.SANDBOX_CONTROLS_URL, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def sandbox_controls(request):
    return {"controls": ask_sandbox() if settings.SANDBOX_CONTROLS_URL and request.user.is_authenticated else []}


@require_POST
@login_required
def control(request, action):
    if settings.SANDBOX_CONTROLS_URL:
        messages.info(request, ask_sandbox({"action": action, "userId": broker_id_of(request.user)})["said"])
    return redirect("home")
