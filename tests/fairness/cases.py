"""Loads the modules that register cases."""

from importlib import import_module
from typing import Final

MODULES: Final = ("bodies", "connections", "messages", "replies", "streams", "lists")


def load() -> None:
    """Register every case."""
    for module in MODULES:
        import_module(f"tests.fairness.{module}")
