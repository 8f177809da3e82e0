"""Staff who act for a user do not reach the user's Microsoft account, and do not connect their own to the user."""

import pytest
from django.test import modify_settings, override_settings

from token_broker_client.django import conf

pytestmark = pytest.mark.usefixtures("fake")


class Acting:
    """What django-hijack and django-impersonate set."""

    attribute = ""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        setattr(request.user, self.attribute, True)
        return self.get_response(request)


class Hijacked(Acting):
    attribute = "is_hijacked"


class Impersonated(Acting):
    attribute = "is_impersonate"


MIDDLEWARE = "token_broker_client.django.middleware.NoImpersonationMiddleware"
ADDRESSES = ("/microsoft/connect", "/microsoft/manage", "/microsoft/connected", "/documents")


@pytest.mark.parametrize("acting", ["Hijacked", "Impersonated"])
def test_staff_who_act_for_a_user_are_refused(browser, user, fake, acting):
    fake.connect(user.username)
    with modify_settings(MIDDLEWARE={"append": [f"{__name__}.{acting}", MIDDLEWARE]}):
        for address in ADDRESSES:
            assert browser.get(address).status_code == 403, address
        assert browser.post("/microsoft/connect").status_code == 403
        assert browser.get("/").status_code == 200
    assert fake.requests == [request for request in fake.requests if request.startswith("GET /integrations/")]


def test_a_project_can_say_itself_who_acts_for_another(browser, user, fake):
    fake.connect(user.username)
    with modify_settings(MIDDLEWARE={"append": [MIDDLEWARE]}):
        assert browser.get("/microsoft/connect").status_code == 200
        given = {**conf.get_settings(), "IS_IMPERSONATED_FUNCTION": lambda request: "acting" in request.GET}
        with override_settings(TOKEN_BROKER=given):
            assert browser.get("/microsoft/connect").status_code == 200
            assert browser.get("/microsoft/connect?acting").status_code == 403
