"""The keywords of a server's tool schemas that the gateway cannot check, described for a review.

Rule 1: text from a server is escaped and cut before it reaches a terminal.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from gateway.admission.checkable_schema_part import Unchecked, usable
from gateway.admission.json_schema_validator import is_pattern
from gateway.cli.catalog.server_listing import ServerItem
from gateway.cli.live_decisions import escaped

_SHOWN: Final = 10
"""Maximum number of keywords shown for one schema."""
_CHARS: Final = 300


def unchecked_lines(things: Sequence[ServerItem]) -> Iterator[str]:
    """Return a line for each unchecked keyword, and a line with the consequence if there are any."""
    lines = [line for one in things if one.section == "tools" for line in _of_tool(one)]
    yield from lines
    if lines:
        yield (
            "These tools can be called, and the rest of their schemas is checked. `check_schemas: strict` in "
            "environment.yaml refuses calls of tools whose input schema has such keywords."
        )


def _of_tool(one: ServerItem) -> Iterator[str]:
    yield from _of_schema(one.key, "inputSchema", one.item.get("inputSchema"))
    if "outputSchema" in one.item:
        yield from _of_schema(one.key, "outputSchema", one.item["outputSchema"])


def _of_schema(tool: str, part: str, schema: Any) -> Iterator[str]:
    found = usable(schema, is_pattern).unchecked
    for unchecked in found[:_SHOWN]:
        yield _line(tool, part, unchecked)
    if len(found) > _SHOWN:
        yield f"not checked: tool {_cut(tool)}: {len(found) - _SHOWN} more keywords of its {part}"


def _line(tool: str, part: str, unchecked: Unchecked) -> str:
    place = f"{part} {_cut(unchecked.pointer)}" if unchecked.pointer else f"its {part}"
    return f"not checked: tool {_cut(tool)}: {place} {_cut(unchecked.why)}"


def _cut(text: str) -> str:
    shown = escaped(text)
    return shown if len(shown) <= _CHARS else f"{shown[:_CHARS]}..."
