"""Sends tasks to the worker as a view would, and prints what came back as one line of JSON."""

import json
import os
import pathlib
import sys
import time

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402

from token_broker_client import BrokerError  # noqa: E402
from token_broker_client.django.models import Connection  # noqa: E402

from celery_site.app import show_broker_url  # noqa: E402


def outcome(result):
    try:
        return result.get(timeout=30, interval=0.05)
    except BrokerError as error:
        found = {"class": type(error).__name__, "text": str(error), **vars(error)}
        return {name: value for name, value in found.items() if not name.startswith("_")}


def main():
    from accounts.tasks import index_files

    folder = os.environ["CELERY_SITE_FOLDER"]
    call_command("migrate", verbosity=0)
    connected, revoked, never = (
        get_user_model().objects.create_user(username=name, email=f"{name}@contoso.com") for name in sys.argv[1:4]
    )
    for user in (connected, revoked):
        Connection.objects.create(broker_user_id=user.username, user=user, state=Connection.CONNECTED)
    found = {
        "many": [outcome(result) for result in [index_files.delay(connected.pk) for _ in range(8)]],
        "revoked": [outcome(index_files.delay(revoked.pk)) for _ in range(2)],
        "never": outcome(index_files.delay(never.pk)),
        "broker_url": outcome(show_broker_url.delay()),
    }
    for name, retries in (("again", 0), ("gave up", 5)):
        with open(os.path.join(folder, "fails"), "w", encoding="ascii"):
            began = time.monotonic()
        found[name] = outcome(index_files.apply_async((connected.pk,), retries=retries))
        found[f"{name}: seconds"] = time.monotonic() - began
    found["mails"] = [path.read_text(encoding="utf-8") for path in (pathlib.Path(folder) / "mails").iterdir()]
    sys.stdout.write(json.dumps(found))


main()
