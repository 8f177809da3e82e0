import django
import pytest
from django.db import connection
from django.test.utils import setup_test_environment

django.setup()
setup_test_environment()


@pytest.fixture(scope="session", autouse=True)
def database():
    connection.creation.create_test_db(verbosity=0)
