"""Django integration: settings, views, a decorator, a template tag, checks, signals and commands on top of
``token_broker_client.Client``.

Add ``"token_broker_client.django"`` to INSTALLED_APPS, ``TOKEN_BROKER`` to the settings, and
``token_broker_client.django.urls`` to the URLs. See docs/adopt-django.md.
"""
