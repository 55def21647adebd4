"""The current lists of a server, compared with the pins of its catalog entry.

Rule 1: a change has the class by which policy judges it: description, schema, annotations, added, removed.
Rule 2: a target without a pin was never reviewed; it is reported differently from an unchanged one.
Rule 3: targets of a list that could not be read are not judged: they are neither removed nor unchanged.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.admission.definition_line_changes import changed_lines, reviewed_changes
from gateway.admission.digests import drift, grouped, stated
from gateway.cli.catalog.server_listing import SECTIONS, ServerItem
from gateway.protocol.json_values import as_object

State = Literal["unchanged", "unpinned", "drifted", "added", "removed"]
DRIFT: Final = frozenset({"drifted", "added", "removed"})


class PinDifference(Struct, frozen=True, kw_only=True):
    """One target, or the instructions, and its difference from the pin."""

    section: str
    key: str
    """The server's own text, unescaped; empty for the instructions."""
    state: State
    classes: tuple[str, ...] = ()
    """The classes of the change."""
    parts: tuple[str, ...] = ()
    """The fields that changed."""
    lines: tuple[str, ...] = ()
    """The changed words, line by line, without invisible characters."""


def differences(
    entry: Mapping[str, Any], things: Sequence[ServerItem], unread: Container[str] = ()
) -> list[PinDifference]:
    """Return every target of the catalog and of the server, in the order tools, prompts, resources.

    `unread` names the methods of lists that could not be read.
    """
    found: list[PinDifference] = []
    for section in dict.fromkeys(SECTIONS.values()):
        known = as_object(entry.get(section)) or {}
        shown = {one.key: one for one in things if one.section == section}
        found += [_compared(one, as_object(known.get(one.key))) for one in shown.values()]
        gone = [
            key
            for key, target in known.items()
            if key not in shown and (key[-1:] != "*" or "pin" in target) and _list_of(section, key) not in unread
        ]
        found += [PinDifference(section=section, key=key, state="removed", classes=("removed",)) for key in gone]
    return found


def _list_of(section: str, key: str) -> str:
    """Return the method of the list that contains a target of the catalog."""
    return "resources/templates/list" if section == "resources" and key.endswith("*") else f"{section}/list"


def _compared(one: ServerItem, target: Mapping[str, Any] | None) -> PinDifference:
    if target is None:
        lines = tuple(changed_lines({}, grouped(one.item)))
        return PinDifference(section=one.section, key=one.key, state="added", classes=("added",), lines=lines)
    pin = as_object(target.get("pin"))
    if pin is None:
        return PinDifference(section=one.section, key=one.key, state="unpinned")
    known, listed = as_object(pin.get("parts")) or {}, one.definition.parts
    pinned, shown = stated(known), stated(listed)
    if pin.get("sha256") == one.definition.sha256 or (pinned == shown and known != listed):
        return PinDifference(section=one.section, key=one.key, state="unchanged")
    parts = sorted(name for name in pinned.keys() | shown.keys() if pinned.get(name) != shown.get(name))
    return PinDifference(
        section=one.section,
        key=one.key,
        state="drifted",
        classes=tuple(drift(pinned, shown)),
        parts=tuple(parts),
        lines=tuple(reviewed_changes(target, grouped(one.item))),
    )
