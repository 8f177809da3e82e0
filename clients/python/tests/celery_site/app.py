"""The Celery app. Before it forks, the main process of the worker uses the client."""

import os

from celery import Celery
from celery.signals import worker_init

app = Celery("celery_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def use_the_client(**_):
    from token_broker_client.django import conf

    conf.get_client().get_token(os.environ["CELERY_SITE_USER"])


@app.task
def show_broker_url():
    return app.connection().as_uri()
