"""Changes of the servers and of their tools, prompts and resources.

Rule 1: rules can permit only entries of the catalog, so additional entries are looser. Changes of the properties of an
entry are unclear, because rules can refer to its tags, its action and its trust.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.definition_line_changes import changed_lines
from gateway.admission.instructions import KEY
from gateway.admission.uri_patterns import normal_key
from gateway.artifact.json_narrowing import Json
from gateway.authoring.difference.change import (
    Change,
    Effect,
    Told,
    became,
    gained,
    listed,
    paired,
)
from gateway.authoring.difference.data_classes import Lists, held_changes, reach_changes

_WORDS: Final = frozenset({"title", "owner", "suggested_by", "timeout_s"})
_SWITCHES: Final = frozenset({"large_results", "believe_annotations"})
"""Off is stricter."""
_CHECKS: Final = frozenset({"check_formats", "check_output"})
"""On is stricter."""
_STRICTNESS: Final = {"allow": 0, "warn": 1, "deny": 2}
_KINDS: Final = {"tools": "tool", "prompts": "prompt", "resources": "resource"}


def catalog_changes(old: Json, new: Json, words: tuple[Json, Json] = ({}, {})) -> Iterator[Change]:
    """Yield the changes of the catalog from one bundle's data to another's; `words` are their reviewed texts."""
    told = _Told(
        drifts=tuple(data["environment"].get("definition_drift", {}) for data in (old, new)),
        lists=tuple(data["environment"].get("data_classes") for data in (old, new)),
        words=words,
    )
    servers = tuple(data["catalog"]["servers"] for data in (old, new))
    for name, before, after in paired(*servers):
        for what, effect in _server(before, after, told):
            lines = _instruction_lines(name, words) if "pinned instructions" in what else ()
            yield Change(about="server", name=name, what=what, effect=effect, lines=lines)
    targets = tuple(data["catalog"]["targets"] for data in (old, new))
    for name, before, after in paired(*targets):
        of_server = replace(told, servers=tuple(each.get(name, {}) for each in servers))
        yield from _targets(name, before or {}, after or {}, of_server)


class _Told(Struct, frozen=True, kw_only=True):
    """The values of the enclosing objects in both bundles: a change that follows from theirs is not reported again."""

    drifts: tuple[Json, ...]
    """`definition_drift` of the environment."""
    lists: Lists
    """`data_classes` of the environment."""
    words: tuple[Json, Json]
    """The reviewed texts of the bundles."""
    servers: tuple[Json, ...] = ()
    """The server of the compared targets."""

    def of_server(self, field: str) -> tuple[Any, ...]:
        """Return a field of the server, in both bundles."""
        return tuple(server.get(field) for server in self.servers)


def _server(old: Json | None, new: Json | None, told: _Told) -> Told:
    if old is None or new is None:
        server = new or old or {}
        said = f"{server['url']}, owner {server['owner']}"
        yield (f"is new: {said}", "looser") if old is None else (f"is removed: {said}", "stricter")
        return
    for field, before, after in paired(old, new):
        if field == "definition_drift":
            follows = (before, after) == told.drifts
            yield from () if follows else drift_changes(before, after)
        elif field == "server_requests":
            said = {"more": "may now ask the client for", "fewer": "may no longer ask the client for"}
            yield from gained(before, after, **said, wider="looser")
        elif field == "instructions":
            yield _instructions(before, after)
        elif field == "data":
            yield from held_changes(before, after, told.lists)
        elif field == "reach":
            yield from reach_changes(before, after)
        elif field == "record":
            yield _recorded(before, after)
        else:
            yield became(field, before, after), _effect(field, after)


def _instructions(old: Json | None, new: Json | None) -> tuple[str, Effect]:
    if old is None:
        return "now has pinned instructions", "stricter"
    return ("has different pinned instructions", "unclear") if new else ("no longer has pinned instructions", "looser")


def _recorded(old: Json | None, new: Json | None) -> tuple[str, Effect]:
    """Return the change of the recording of arguments, which does not affect decisions."""
    before = f"not as {old['arguments']}" if old else "not as the settings specify"
    now = f"as {new['arguments']}" if new else "as the settings specify"
    return f"has its arguments recorded {now}, {before}", "same"


def _effect(field: str, new: Any) -> Effect:
    if field in _SWITCHES:
        return "looser" if new else "stricter"
    if field in _CHECKS:
        return "stricter" if new else "looser"
    return "same" if field in _WORDS else "unclear"


def drift_changes(old: Mapping[str, str], new: Mapping[str, str]) -> Told:
    """Yield the changes of the treatment of each class of changed definitions; an omitted class is denied."""
    classes = sorted(old.keys() | new.keys())
    for kind, before, after in ((each, old.get(each, "deny"), new.get(each, "deny")) for each in classes):
        if before != after:
            looser = _STRICTNESS.get(after, -1) < _STRICTNESS.get(before, 3)
            yield f"treats a changed definition ({kind}) as {after}, not {before}", "looser" if looser else "stricter"


def _targets(server: str, old: Json, new: Json, told: _Told) -> Iterator[Change]:
    for name, before, after in paired(_named(old), _named(new)):
        for what, effect in _target(before, after, told):
            lines = _target_lines(server, name, told.words) if "pinned" in what else ()
            yield Change(about="target", name=f"{name} of server {server}", what=what, effect=effect, lines=lines)


def _target_lines(server: str, name: str, words: tuple[Json, Json]) -> tuple[str, ...]:
    """Return the changed lines of the reviewed texts of a target."""
    noun, _, key = name.partition(" ")
    section = next((section for section, each in _KINDS.items() if each == noun), "")
    old, new = (_parts(each.get(server, {}).get(section, {}), section, key) for each in words)
    return tuple(changed_lines(old, new))


def _parts(section_words: Json, section: str, key: str) -> Json:
    """Return the reviewed parts of a target; the data have the normal form of a resource's URI."""
    if section != "resources":
        return section_words.get(key, {})
    named: Json = {normal_key(uri): each for uri, each in section_words.items()}
    return named.get(key, {})


def _instruction_lines(server: str, words: tuple[Json, Json]) -> tuple[str, ...]:
    old, new = (each.get(server, {}).get(KEY) for each in words)
    return tuple(changed_lines({KEY: old} if old else {}, {KEY: new} if new else {}))


def _named(targets: Json) -> Json:
    """Return every target of a server by its name in a sentence."""
    found = {f"{noun} {key}": each for kind, noun in _KINDS.items() for key, each in targets.get(kind, {}).items()}
    found |= {f"resource {each['prefix']}*": each for each in targets.get("resource_prefixes", [])}
    tasks = targets.get("tasks")
    return found if tasks is None else found | {"tasks": tasks}


def _target(old: Json | None, new: Json | None, told: _Told) -> Told:
    if old is None or new is None:
        target = new or old or {}
        holds = f", holds data of class {listed(target['data'])}" if target.get("data") else ""
        said = f"action {target.get('action', 'unknown')}{', pinned' if target.get('pin') else ''}{holds}"
        yield (f"is new: {said}", "looser") if old is None else (f"is removed: {said}", "stricter")
        return
    for field, before, after in paired(old, new):
        if field == "pin":
            yield _pin(before, after)
        elif field == "record":
            yield _recorded(before, after)
        elif field == "action":
            yield f"is now {after or 'unknown'}, not {before or 'unknown'}", "stricter" if after is None else "unclear"
        elif field == "data":
            yield from held_changes(before, after, told.lists, told.of_server(field))
        elif field == "reach":
            yield from () if (before, after) == told.of_server(field) else reach_changes(before, after)
        else:
            yield became(field, before, after), "same" if field in _WORDS else "unclear"


def _pin(old: Json | None, new: Json | None) -> tuple[str, Effect]:
    if old is None:
        return "is now pinned", "stricter"
    if new is None:
        return "is no longer pinned", "looser"
    parts = [name for name, _, _ in paired(old.get("parts", {}), new.get("parts", {}))]
    return f"is pinned to another definition ({listed(parts) or 'as a whole'})", "unclear"
