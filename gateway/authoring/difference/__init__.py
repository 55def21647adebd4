"""The difference between two bundles: rules, requirements, catalog, agents, environment, enforcement.

Rule 1: both are read as artifacts, so that the comparison covers the content that is enforced.
Rule 2: no difference is ignored: a difference that this package cannot describe is reported as such.
"""

from collections.abc import Iterator
from typing import Final

from gateway.artifact.artifact import Artifact
from gateway.artifact.bundle_data import data_of
from gateway.artifact.json_narrowing import Json
from gateway.artifact.manifest import content_id
from gateway.artifact.reviewed_texts_file import words_of
from gateway.authoring.difference.agents import agent_changes
from gateway.authoring.difference.catalog import catalog_changes
from gateway.authoring.difference.change import Change, Effect
from gateway.authoring.difference.contents import bound_changes, own_changes, rego_changes
from gateway.authoring.difference.rules import rule_changes
from gateway.authoring.difference.settings import setting_changes

__all__ = ["Change", "Effect", "differences"]

_TOLD: Final = frozenset(
    {"environment", "required", "enforcement", "catalog", "agents", "rules", "own", "index", "requirements"}
)


def differences(old: Artifact, new: Artifact) -> list[Change] | str:
    """Return every change from the old bundle to the new one, or an error if one of them is not a policy bundle."""
    before, after = data_of(old), data_of(new)
    if before is None or after is None:
        return f"{(old if before is None else new).revision} is not a policy bundle"
    words = (words_of(old), words_of(new))
    found = [*_in_data(before, after, words), *_in_rego(old, new, before, after)]
    if words[0] != words[1] and not any(change.lines for change in found):
        said = "has the reviewed texts of other definitions"
        found.append(Change(about="bundle", name="", what=said, effect="same"))
    if not found and content_id(old.contents) != content_id(new.contents):
        said = "differs in content that cannot be described here: its index, or additions of a newer build"
        found.append(Change(about="bundle", name="", what=said, effect="unclear"))
    return [*found, *bound_changes(old.manifest.metadata, new.manifest.metadata)]


def _in_data(old: Json, new: Json, words: tuple[Json, Json]) -> Iterator[Change]:
    yield from rule_changes(old["rules"], new["rules"])
    yield from setting_changes(old, new)
    yield from catalog_changes(old, new, words)
    yield from agent_changes(old, new)
    yield from own_changes(old["own"], new["own"])
    for key in sorted((old.keys() | new.keys()) - _TOLD):
        if old.get(key) != new.get(key):
            yield Change(about="data", name=key, what="differs", effect="unclear")


def _in_rego(old: Artifact, new: Artifact, before: Json, after: Json) -> Iterator[Change]:
    combined = [
        {name: (each.get("arguments"), each.get("reads")) for name, each in data["requirements"].items()}
        for data in (before, after)
    ]
    yield from rego_changes(old, new, follows=combined[0] != combined[1])
