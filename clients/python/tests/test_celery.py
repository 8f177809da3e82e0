"""The recipe of docs/adopt-django.md for Celery, with worker processes: the queue is a folder."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

from conftest import HERE, WORLD, connect, new_user, post

GRAPH = """
import json, os, urllib.error, urllib.request
from token_broker_client import MicrosoftUnavailable

def list_files(token):
    path = os.path.join(os.environ["CELERY_SITE_FOLDER"], "fails")
    if os.path.exists(path):
        os.remove(path)
        raise MicrosoftUnavailable({"code": "microsoft_unavailable", "retry_after": 0.3}, 503)
    request = urllib.request.Request(os.environ["GRAPH_URL"] + "/v1.0/me", headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return [json.load(answer)["userPrincipalName"], os.getpid()]

def is_unauthorized(error):
    return isinstance(error, urllib.error.HTTPError) and error.code == 401
"""


def recipe():
    with open(os.path.join(HERE, "..", "..", "..", "docs", "adopt-django.md"), encoding="utf-8") as file:
        found = re.search(r"```python\n(# accounts/tasks\.py\n.*?)```", file.read(), re.DOTALL)
    assert found is not None
    return found.group(1)


@contextmanager
def worker(folder, serializer, user_id):
    """Yields the environment of the processes of the project."""
    accounts = folder / "accounts"
    accounts.mkdir(parents=True)
    for name in ("queue", "control", "results"):
        (folder / name).mkdir()
    for name, text in (("__init__", ""), ("graph", GRAPH), ("tasks", recipe())):
        (accounts / f"{name}.py").write_text(text)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "celery_site.settings",
        "PYTHONPATH": os.pathsep.join((HERE, str(folder))),
        "CELERY_SITE_FOLDER": str(folder),
        "CELERY_SITE_SERIALIZER": serializer,
        "CELERY_SITE_USER": user_id,
    }
    command = [sys.executable, "-m", "celery", "-A", "celery_site.app", "worker", "--pool=prefork", "--concurrency=2"]
    with open(folder / "worker.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, "--loglevel=INFO"], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield environment
        finally:
            # With its children. A shutdown in order takes Celery many seconds.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_task_gets_tokens_and_its_caller_gets_the_exceptions(client, tmp_path):
    users = [new_user() for _ in range(3)]
    connect(client, users[0])
    connect(client, users[1], "lena@fabrikam.com")
    post(WORLD["entra"] + "/control/revoke-sessions", {"account": "lena@fabrikam.com"})
    post(WORLD["controls"], {"action": "expire", "userId": users[1]})
    folders = {serializer: tmp_path / serializer for serializer in ("json", "pickle")}
    with (
        worker(folders["json"], "json", users[0]) as one,
        worker(folders["pickle"], "pickle", users[0]) as other,
    ):
        callers = {
            serializer: subprocess.Popen(
                [sys.executable, "-m", "celery_site.caller", *users],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for serializer, environment in (("json", one), ("pickle", other))
        }
        printed = {serializer: caller.communicate(timeout=120) for serializer, caller in callers.items()}
    for serializer, (out, err) in printed.items():
        log = (folders[serializer] / "worker.log").read_text()
        assert callers[serializer].returncode == 0, err[-2000:] + log[-3000:]
        found = json.loads(out)
        # The main process of the worker had a token and connections before it forked.
        assert {account for account, _ in found["many"]} == {"jane@contoso.com"}
        assert len({process for _, process in found["many"]}) == 2
        for failure in found["revoked"]:
            assert (failure["class"], failure["status"]) == ("ReconnectRequired", 409), serializer
            assert (failure["reason"], failure["who_acts"]) == ("access_revoked", "user")
            assert failure["microsoft"]["aadsts"] == 50173 and failure["request_id"]
        assert "access_revoked" in failure["text"]
        assert found["never"]["class"] == "NotConnected"
        [mail] = found["mails"]
        assert f"To: {users[1]}@contoso.com" in mail and "https://audits.megdocs.example/microsoft/connect" in mail
        assert found["broker_url"].startswith("filesystem:")
        assert found["again"][0] == "jane@contoso.com" and found["again: seconds"] >= 0.3
        assert (found["gave up"]["class"], found["gave up"]["retry_after"]) == ("MicrosoftUnavailable", 0.3)
        # Django mails errors to ADMINS. What the user must solve is none.
        assert [line for line in log.splitlines() if "ERROR" in line and "MicrosoftUnavailable" not in line] == []
        written = printed[serializer][1] + log + json.dumps(found)
        assert WORLD["callers"]["hmac"]["secret"] not in written and "eyJ" not in written
