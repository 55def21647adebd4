"""Differences and surveys as text for people.

Rule 1: text from a server is escaped before it reaches a terminal. Names are cut; changed words are shown in full.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from gateway.cli.catalog.difference import DRIFT, PinDifference
from gateway.cli.catalog.server_listing import LeftOut
from gateway.cli.live_decisions import escaped

_COLORS: Final = {"drifted": "yellow", "added": "green", "removed": "red", "unpinned": "cyan"}
_LINES: Final = {"-": "red", "+": "green", "?": "yellow"}
_KEY: Final = 100


def difference_lines(server: str, found: Sequence[PinDifference], *, color: bool) -> Iterator[str]:
    """Return a line for each target that differs from its pin, and one that counts all."""
    for one in found:
        if one.state != "unchanged":
            yield f"{server}: {_state(one, color=color)}  {_what(one)}{_why(one)}"
            yield from (f"    {_colored(line, color=color)}" for line in one.lines)
    counts = Counter(one.state for one in found)
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing listed"
    yield f"{server}: {told}"


def difference_json(server: str, one: PinDifference) -> Mapping[str, Any]:
    """Return a difference as a JSON value."""
    return {
        "server": server,
        "section": one.section,
        "key": one.key,
        "state": one.state,
        "classes": one.classes,
        "parts": one.parts,
        "lines": one.lines,
        "drift": one.state in DRIFT,
    }


def left_out_lines(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """Return a line for each item that a catalog cannot name."""
    return (f"left out: {one.name}: {one.why}" for one in left_out)


def failed_lines(failed: Mapping[str, str]) -> Iterator[str]:
    """Return a line for each announced list that could not be read."""
    return (f"not read: {method}: {why}" for method, why in failed.items())


def _colored(line: str, *, color: bool) -> str:
    return click.style(line, fg=_LINES.get(line[:1])) if color else line


def _what(one: PinDifference) -> str:
    return f"{one.section[:-1]} {_cut(one.key)}" if one.key else one.section


def _state(one: PinDifference, *, color: bool) -> str:
    return click.style(f"{one.state:9}", fg=_COLORS.get(one.state)) if color else f"{one.state:9}"


def _why(one: PinDifference) -> str:
    if one.state == "unpinned":
        return "  (never reviewed: no pin)"
    return f"  ({', '.join(one.classes)}: {', '.join(one.parts)})" if one.state == "drifted" else ""


def _cut(text: str) -> str:
    shown = escaped(text)
    return shown if len(shown) <= _KEY else f"{shown[:_KEY]}..."


def unheld_lines(whys: Sequence[str]) -> Iterator[str]:
    """Return a line for each part of a definition whose words are not in the catalog, and the reason."""
    return (f"not stored as reviewed: {why}" for why in whys)
