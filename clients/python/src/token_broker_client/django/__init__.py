"""The Django side: settings, views, a decorator, a template tag, checks, signals and commands around ``token_broker_client.Client``.

Add ``"token_broker_client.django"`` to INSTALLED_APPS, ``TOKEN_BROKER`` to the settings and ``token_broker_client.django.urls`` to the URLs.
"""
