"""``path("microsoft/", include("token_broker_client.django.urls"))``

The broker's settings are then ENTRY_URL_CONNECT=…/microsoft/connect, ENTRY_URL_MANAGE=…/microsoft/manage and
COMPLETION_URL=…/microsoft/connected.
"""

from django.urls import path

from . import views

app_name = "token_broker"
urlpatterns = [
    path("connect", views.connect, name="connect"),
    path("manage", views.manage, name="manage"),
    path("connected", views.complete, name="complete"),
    path("pages.css", views.stylesheet, name="stylesheet"),
]
