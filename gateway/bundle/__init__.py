"""A policy repository becomes a bundle: read, check, stage, verify, pack, sign, serve, watch.

Rule 1: what was checked is what is packed, and what is packed is what is enforced.
Rule 2: whatever is wrong is told at once, with file and line; a refused build changes nothing.
"""

from gateway.bundle.build import Builder, Built, PolicySource, build
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
    "build",
    "listening",
]
