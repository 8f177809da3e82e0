"""As documented for `manage.py test`."""

from token_broker_client.testing import FAKE_SETTINGS

from .settings import *  # noqa: F403
from .settings import TOKEN_BROKER as RIGHT

TOKEN_BROKER = {**RIGHT, **FAKE_SETTINGS}
