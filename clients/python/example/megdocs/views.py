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

from token_broker_client.django.conf import client
from token_broker_client.django.decorators import microsoft_required
from token_broker_client.django.tokens import token_of

from .graph import Graph, is_refused_token


def broker_id_of(user):
    """MEGDocs' id of a user, as the broker knows it."""
    return user.username


def work(user, what):
    """Works with a token; where Graph refuses it, once more with a later one. Returns the token too, for showing."""
    token = token_of(user)
    try:
        return token, what(Graph(token.access_token))
    except Exception as error:
        if not is_refused_token(error):
            raise
    later = client().refresh(token)
    return later, what(Graph(later.access_token))


@login_required
def home(request):
    return render(request, "home.html")


@login_required
@microsoft_required
def documents(request):
    token, (me, files) = work(request.user, lambda graph: (graph.me(), graph.files()))
    return render(request, "documents.html", {"token": token, "me": me, "files": files})


@login_required
@microsoft_required
def document(request, item):
    if request.method == "POST":
        # Browsers send CR LF for the line ends of a textarea.
        text = request.POST.get("text", "").replace("\r\n", "\n")
        work(request.user, lambda graph: graph.write(item, text))
        messages.success(request, "Saved to Microsoft 365.")
        return redirect("document", item=item)
    token, (file, text) = work(request.user, lambda graph: (graph.file(item), graph.read(item)))
    return render(request, "document.html", {"token": token, "file": file, "text": text})


def log_in(request):
    """Invented people, no passwords: this is a sandbox."""
    people = get_user_model().objects.filter(username__startswith="u-").order_by("username")
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    if not url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}):
        wanted = "/"
    person = people.filter(username=request.POST.get("user", "")).first() if request.method == "POST" else None
    if person is None:
        return render(request, "login.html", {"people": people, "next": wanted})
    login(request, person, backend="django.contrib.auth.backends.ModelBackend")
    return redirect(wanted)


@require_POST
def log_out(request):
    logout(request)
    return redirect("login")


def nothing(request):
    return HttpResponse(status=204)


# ---- The sandbox's switches, which no real MEGDocs has ----


def ask_sandbox(data=None):
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
