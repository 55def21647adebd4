"""Placeholders that were not replaced: `${HOST}`, `{{ host }}`, `<your-host>`, `CHANGEME`.

Rule 1: a placeholder left in place is a name, an address or a limit that matches nothing, so it is a problem.
Rule 2: texts for people and the values of calls are not checked, unless the whole text is a placeholder.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from gateway.artifact.json_narrowing import is_array, is_object
from gateway.policy.sources.document import Document, step
from gateway.policy.sources.problem import Problem

_INSIDE: Final = re.compile(
    r"\$\{[^{}]*\}|\$\([^()]*\)|\{\{[^{}]*\}\}|\{%[^{}]*%\}|<%[^<>]*%>|<[A-Za-z][A-Za-z0-9 _./-]*>|"
    r"(?<![A-Za-z0-9])(?:CHANGE[-_ ]?ME|REPLACE[-_ ]?ME|FIX[-_ ]?ME|TODO|TBD|PLACEHOLDER|"
    r"YOUR[-_][A-Z0-9_-]+)(?![A-Za-z0-9])|"
    r"(?<=[/@.])(?:your|my)[-_](?:host|server|domain|company|org|tenant|instance|project|workspace)\b|%[A-Z][A-Z0-9_]+%"
)
_WHOLE: Final = re.compile(
    rf"\s*(?:{_INSIDE.pattern}|\$[A-Za-z_][A-Za-z0-9_]*|@[A-Z][A-Z0-9_]*@|__[A-Za-z0-9_]+__|\.\.\.|\?\?+|"
    r"(?i:change[-_ ]?me|replace[-_ ]?me|fix[-_ ]?me|todo|tbd|xxx+|placeholder))\s*"
)
_PROSE: Final = frozenset({"reason", "purpose", "title", "suggested_by", "scenario", "because"})
_NOT_JUDGED: Final = frozenset({"arguments", "reviewed", "equals", "in", "prefix", "glob", "matches"})
"""Keys whose values come from calls or from a server's definitions."""
_SHOWN: Final = 60


def placeholders_in(document: Document, kind: str) -> list[Problem]:
    """Return a problem for each placeholder that was not replaced; in a team's own data, only for whole values."""
    remedy = "Write the actual value: placeholders are not substituted."
    return [
        document.problem(pointer, f"`{found[:_SHOWN]}` is a placeholder.", remedy)
        for pointer, found in _found(document.value, "", is_prose=kind == "own")
    ]


def _found(value: Any, pointer: str, *, is_prose: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        match = (_WHOLE.fullmatch if is_prose else _INSIDE.search)(value) or _WHOLE.fullmatch(value)
        if match is not None:
            yield pointer, match[0].strip()
    elif is_array(value):
        for number, item in enumerate(value):
            yield from _found(item, step(pointer, number), is_prose=is_prose)
    elif is_object(value):
        for key, item in value.items():
            if key not in _NOT_JUDGED:
                yield from _found(item, step(pointer, key), is_prose=is_prose or key in _PROSE)
