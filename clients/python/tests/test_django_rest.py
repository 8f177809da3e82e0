"""Views of Django REST framework."""

import importlib
import sys

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client as Browser
from django.test import modify_settings, override_settings
from django.urls import path
from rest_framework import exceptions
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView
from test_django_impersonation import MIDDLEWARE
from test_django_json import PAGE, problem

from token_broker_client.django import rest
from token_broker_client.django.decorators import microsoft_required
from token_broker_client.django.models import EventCursor
from token_broker_client.django.tokens import get_access_token

HANDLER = {"EXCEPTION_HANDLER": "token_broker_client.django.rest.exception_handler"}


class Files(APIView):  # type: ignore[misc]  # the framework has no types
    def get(self, request):
        return Response({"files": [get_access_token(request.user)]})

    def post(self, request):
        EventCursor.objects.create(name="written-by-the-view", cursor="x")
        return Response(get_access_token(request.user))

    def delete(self, request):
        raise exceptions.PermissionDenied


@api_view(["GET"])
@microsoft_required
def below(request):
    return Response(get_access_token(request.user))


@microsoft_required
@api_view(["GET"])
def above(request):
    return Response(get_access_token(request.user))


def ask(view, user, method="get", **headers):
    request = getattr(APIRequestFactory(), method)("/api/files", headers={"referer": PAGE, **headers})
    force_authenticate(request, user)
    found = view(request)
    return found.render() if hasattr(found, "render") else found


@pytest.fixture()
def files():
    with override_settings(REST_FRAMEWORK=HANDLER):
        yield Files.as_view()


@pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*"])
def test_a_failure_is_json_whatever_is_accepted(files, user, fake, accept):
    for view in (files, below, above):
        found = problem(ask(view, user, accept=accept))
        assert (found["status"], found["code"], found["who_acts"]) == (409, "not_connected", "user")
        assert found["action_url"] == "/microsoft/connect?next=http%3A%2F%2Ftestserver%2Fdocuments"
    fake.stop()
    assert problem(ask(files, user, accept=accept))["status"] == 503


def test_a_success_and_other_exceptions_stay_as_they_were(files, user, fake):
    fake.connect(user.username)
    assert ask(files, user).data["files"][0].startswith("fake-token-")
    assert ask(files, user, "delete").status_code == 403


def test_with_atomic_requests_nothing_of_a_failed_view_is_kept(files, user, fake):
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        with transaction.atomic():
            assert problem(ask(files, user, "post"))["code"] == "not_connected"
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    assert not EventCursor.objects.filter(name="written-by-the-view").exists()


def test_without_django_rest_framework_the_module_can_be_imported(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "rest_framework"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rest_framework", None)
    importlib.reload(rest)
    assert "rest_framework" not in settings.INSTALLED_APPS


class Pages:
    urlpatterns = [path("class", Files.as_view()), path("below", below), path("above", above)]


@pytest.mark.parametrize("handler", [{}, HANDLER])
def test_staff_who_act_for_a_user_get_no_token_in_any_view(user, fake, handler):
    fake.connect(user.username)

    def statuses():
        browser = Browser()
        browser.force_login(user)
        return [browser.get(address).status_code for address in ("/class", "/below", "/above")]

    with override_settings(ROOT_URLCONF=Pages, REST_FRAMEWORK=handler):
        assert statuses() == [200, 200, 200]
        with modify_settings(MIDDLEWARE={"append": ["test_django_impersonation.Hijacked", MIDDLEWARE]}):
            assert statuses() == [403, 403, 403]
    assert len(fake.requests) == 3
