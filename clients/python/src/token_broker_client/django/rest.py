"""For Django REST framework: a failure of the broker becomes a JSON problem document (RFC 9457). Only a project that
names this module needs that framework."""

from __future__ import annotations

from typing import Any

from ..errors import BrokerError
from .decorators import error_response
from .impersonation import Impersonated


def exception_handler(exc: Exception, context: dict[str, Any]) -> Any:
    """For the setting ``EXCEPTION_HANDLER`` of ``REST_FRAMEWORK``. Other exceptions go to the framework's handler. A
    project with a handler of its own calls this one for ``BrokerError``."""
    from rest_framework.views import exception_handler as other_exceptions  # pyright: ignore[reportMissingImports]
    from rest_framework.views import set_rollback  # pyright: ignore[reportMissingImports]

    if not isinstance(exc, BrokerError | Impersonated):
        return other_exceptions(exc, context)
    response = error_response(context["request"], exc, json=True)
    # As the framework does it for its own exceptions: with ATOMIC_REQUESTS, what the view wrote is not kept.
    set_rollback()
    return response
