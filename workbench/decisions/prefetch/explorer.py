"""Stub."""

from typing import Any


def grid(result: Any) -> Any: ...
