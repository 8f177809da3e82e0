"""The pytest plugin of this package. pytest finds it when the package is installed.

The fixture ``token_broker`` is a ``FakeBroker`` for one test. In a Django project, the app uses it during the test.
With ``token_broker = fake`` in the configuration of pytest, every test has it, and what runs outside of a test
(``setUpTestData``, fixtures of a module) has another one, so that nothing calls a broker.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator

import pytest

from .testing import FakeBroker


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("token_broker", "fake: every test uses the fixture token_broker", default="")


@pytest.fixture()
def token_broker() -> Generator[FakeBroker, None, None]:
    """A fake broker, which knows nobody yet."""
    broker = FakeBroker()
    with contextlib.ExitStack() as stack:
        if _is_in_django():
            from .django import conf

            stack.enter_context(conf.use_fake(broker))
        yield broker


@pytest.fixture(scope="session", autouse=True)
def _token_broker_between_tests(  # pyright: ignore[reportUnusedFunction]
    request: pytest.FixtureRequest,
) -> Generator[None, None, None]:
    with contextlib.ExitStack() as stack:
        if request.config.getini("token_broker") == "fake" and _is_in_django():
            from .django import conf

            stack.enter_context(conf.use_fake(FakeBroker()))
        yield


@pytest.fixture(autouse=True)
def _token_broker_in_each_test(request: pytest.FixtureRequest) -> None:  # pyright: ignore[reportUnusedFunction]
    if request.config.getini("token_broker") == "fake":
        request.getfixturevalue("token_broker")


def _is_in_django() -> bool:
    # Without Django in this process, the settings need not exist.
    if "django" not in sys.modules:
        return False
    from django.apps import apps
    from django.conf import settings

    return settings.configured and apps.ready and apps.is_installed("token_broker_client.django")
