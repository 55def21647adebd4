"""A policy repository becomes a bundle: read, check, stage, verify, pack, sign, serve, watch.

Rule 1: what was checked is what is packed, and what is packed is what is enforced.
Rule 2: whatever is wrong is told at once, with file and line; a refused build changes nothing.
Rule 3: a name is loaded when it is asked for: who only reads bundles, as `stop` and `publish` do, waits for no builder.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gateway.bundle.build import Builder, Built, PolicySource
    from gateway.bundle.listener import Address, listening
    from gateway.bundle.problem import Problem, Problems
    from gateway.bundle.watch import Event, Published, Publisher, Refused, Restored

__all__ = [
    "Address",
    "Builder",
    "Built",
    "Event",
    "PolicySource",
    "Problem",
    "Problems",
    "Published",
    "Publisher",
    "Refused",
    "Restored",
    "listening",
]

_MODULES: Final = {
    "build": ("Builder", "Built", "PolicySource"),
    "listener": ("Address", "listening"),
    "problem": ("Problem", "Problems"),
    "watch": ("Event", "Published", "Publisher", "Refused", "Restored"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"gateway.bundle.{module}"), name)
    raise AttributeError(f"module 'gateway.bundle' has no attribute {name!r}")
