"""Fixtures for tests of the Django app. conftest.py imports them if Django is installed."""

import django
import pytest

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client as Browser  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from token_broker_client.django import conf  # noqa: E402
from token_broker_client.django.models import EventCursor  # noqa: E402
from token_broker_client.testing import FakeBroker  # noqa: E402

from conftest import new_user  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def database():
    setup_test_environment()
    name = connection.creation.create_test_db(verbosity=0)
    yield
    connection.creation.destroy_test_db(name, verbosity=0)


@pytest.fixture()
def user():
    return get_user_model().objects.create_user(username=new_user())


@pytest.fixture()
def browser(user):
    browser = Browser(enforce_csrf_checks=False)
    browser.force_login(user)
    return browser


@pytest.fixture()
def fake():
    # Nobody has read its events yet.
    EventCursor.objects.all().delete()
    with conf.use_fake(FakeBroker()) as broker:
        yield broker


@pytest.fixture()
def no_connections(database):
    """For tests that look at all stored connections."""
    from support_case import forget_everything

    forget_everything()
    yield
    forget_everything()
