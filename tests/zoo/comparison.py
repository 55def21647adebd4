"""The differences between two transcripts of the same conversation.

Rule 1: a difference that no reason of the entry names is a failure.
Rule 2: a reason for a step that does not differ is a failure as well: reasons do not outlive their cause.
Rule 3: only what the specification leaves to an intermediary is left out: for how long and for whom a list may be
cached (`ttlMs`, `cacheScope`).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from msgspec import Struct

CACHING: Final = frozenset({"ttlMs", "cacheScope"})
_SHOWN: Final = 600
REASON: Final = "this tool is refused in the zoo"
"""The reason of the rule that refuses a tool."""


class Difference(Struct, frozen=True):
    """A step with two outcomes; a missing step has none."""

    step: str
    direct: Any
    through: Any

    def __str__(self) -> str:
        """Show both outcomes, each cut to a readable length around the first difference."""
        direct, through = (json.dumps(one, sort_keys=True, ensure_ascii=False) for one in (self.direct, self.through))
        start = max(0, next((at for at, (a, b) in enumerate(zip(direct, through, strict=False)) if a != b), 0) - 100)
        cut = slice(start, start + _SHOWN)
        return f"{self.step}:\n  direct:  {direct[cut]}\n  through: {through[cut]}"


def differences(
    direct: Mapping[str, Any], through: Mapping[str, Any], volatile: Sequence[str] = ()
) -> list[Difference]:
    """Return the steps whose outcomes differ, in the order of the conversation."""
    names = list(dict.fromkeys((*direct, *through)))
    pairs = ((name, _plain(direct.get(name), volatile), _plain(through.get(name), volatile)) for name in names)
    return [Difference(name, one, other) for name, one, other in pairs if one != other]


def refused(
    direct: Mapping[str, Any], through: Mapping[str, Any], tool: str, volatile: Sequence[str] = ()
) -> list[Difference]:
    """Return what differs from a conversation in which one tool is refused and everything else is as without a gateway.

    The refused tool is not listed, its call is answered with the reason, and the proof shows that it did not run.
    """
    wanted = dict(direct)
    if "tools" in direct and "result" in direct["tools"]:
        listed = direct["tools"]["result"]
        kept = [one for one in listed["tools"] if one["name"] != tool]
        wanted["tools"] = {"result": {**listed, "tools": kept}}
    wanted["refused"] = through.get("refused")
    if "before refused" in direct:
        wanted["after refused"] = direct["before refused"]
    found = differences(wanted, through, volatile)
    if not _is_refusal(through.get("refused")):
        found.append(Difference("refused", f"a refusal that says: {REASON}", through.get("refused")))
    return found


def _is_refusal(outcome: Any) -> bool:
    match outcome:
        case {"result": {"isError": True} as result}:
            return REASON in json.dumps(result)
        case _:
            return False


def unexplained(found: Iterable[Difference], known: Mapping[str, str]) -> list[str]:
    """Return what is wrong: differences without a reason, and reasons without a difference."""
    differing = {one.step: one for one in found}
    needless = [f"{step}: the entry names a difference that does not exist" for step in known if step not in differing]
    return [str(one) for step, one in differing.items() if step not in known] + needless


def _plain(value: Any, volatile: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return {key: _plain(one, volatile) for key, one in fields.items() if key not in CACHING}
    if isinstance(value, list):
        return [_plain(one, volatile) for one in cast("list[Any]", value)]
    if isinstance(value, str):
        for pattern in volatile:
            value = re.sub(pattern, "(volatile)", value)
    return value
