"""The version of this package. It stands in pyproject.toml; here it is read from the installed metadata."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("token-broker-client")
except PackageNotFoundError:  # used from a checkout that is not installed
    __version__ = "0+unknown"

USER_AGENT = f"token-broker-client/{__version__}"
"""Sent with each request. It tells operators which version a caller uses."""
