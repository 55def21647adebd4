"""The text of a Rego file by the locations that OPA's parser reports.

Rule 1: a location is used only if the source has the parser's text there; otherwise it is ignored.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.policy.rego.rego_module import text


class Span(Struct, frozen=True, order=True):
    """The characters `start` to `end` of a file."""

    start: int
    end: int


class RegoText:
    """The text of a file, with the offsets of its lines."""

    def __init__(self, content: str) -> None:
        self.content = content
        self._starts = [0]
        for line in content.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def of(self, span: Span) -> str:
        """Return the text of a span."""
        return self.content[span.start : span.end]

    def span(self, node: Mapping[str, Any]) -> Span | None:
        """Return the span of a node of the syntax tree, or None if the parser does not report a usable location."""
        location, said = node.get("location", {}), text(node)
        row = int(location.get("row", 0))
        if not said or not 0 < row < len(self._starts):
            return None
        start = self._starts[row - 1] + int(location["col"]) - 1
        return Span(start, start + len(said)) if self.content.startswith(said, start) else None

    def line(self, span: Span) -> int:
        """Return the line of a span, 1-based."""
        return self.content.count("\n", 0, span.start) + 1

    def with_comma(self, span: Span) -> Span:
        """Return the span with the comma that separates it from its neighbor, preferably from the next one."""
        rest = self.content[span.end :]
        after = len(rest) - len(rest.lstrip())
        if rest[after : after + 1] == ",":
            return Span(span.start, span.end + after + 1)
        before = self.content[: span.start].rstrip()
        return Span(len(before) - 1, span.end) if before.endswith(",") else span
