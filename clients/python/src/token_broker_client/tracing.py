"""The caller's trace, if the project uses OpenTelemetry. This package does not depend on it."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

_opentelemetry: Any = None
with contextlib.suppress(ImportError):
    _opentelemetry = importlib.import_module("opentelemetry.trace")


def current_traceparent() -> str | None:
    """``traceparent`` (W3C Trace Context) of the current span. None: no OpenTelemetry, or no span."""
    if _opentelemetry is None:
        return None
    span: Any = _opentelemetry.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags) & 0xFF:02x}"
