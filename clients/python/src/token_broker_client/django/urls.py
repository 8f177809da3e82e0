"""``path("microsoft/", include("token_broker_client.django.urls"))``: the broker's ENTRY_URL_CONNECT is then …/microsoft/connect,
ENTRY_URL_MANAGE …/microsoft/manage and COMPLETION_URL …/microsoft/connected."""

from django.urls import path

from . import views

app_name = "token_broker"
urlpatterns = [
    path("connect", views.connect, name="connect"),
    path("manage", views.manage, name="manage"),
    path("connected", views.complete, name="complete"),
]
