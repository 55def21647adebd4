"""Changes of the Rego, of the stock library, of a team's own data, and of the bundle's metadata.

Rule 1: the effect of changed Rego is `unclear`, because only a reviewer can judge it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.artifact.artifact import Artifact
from gateway.artifact.json_narrowing import Json, is_object
from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.artifact.manifest import BundleMetadata, Library
from gateway.authoring.difference.change import (
    Change,
    Effect,
    Told,
    became,
    paired,
    shown,
)
from gateway.policy.sources.document import step

_DETAILS: Final = 20
"""The maximum number of reported values of one document; the others are only counted."""


def rego_changes(old: Artifact, new: Artifact, *, follows: bool) -> Iterator[Change]:
    """Yield the files that differ; omit the generated one if changed requirements explain its difference."""
    before, after = (
        {path: content for path, content in artifact.contents.items() if path.endswith(".rego")}
        for artifact in (old, new)
    )
    for path, was, now in paired(before, after):
        if path == COMBINED_REQUIREMENTS and follows:
            continue
        said = "is new" if was is None else "is removed" if now is None else "has different Rego"
        yield Change(about="rego", name=path, what=said, effect="unclear")


def own_changes(old: Json, new: Json) -> Iterator[Change]:
    """Yield the changes of the data for a team's own requirements."""
    for name, before, after in paired(old, new):
        told = list(_leaves("", before, after))
        for what in told[:_DETAILS]:
            yield Change(about="data", name=f"own.{name}", what=what, effect="unclear")
        if len(told) > _DETAILS:
            more = f"differs in {len(told) - _DETAILS} more values"
            yield Change(about="data", name=f"own.{name}", what=more, effect="unclear")


def _leaves(pointer: str, old: Any, new: Any) -> Iterator[str]:
    if is_object(old) and is_object(new):
        for key, before, after in paired(old, new):
            yield from _leaves(step(pointer, key), before, after)
    elif isinstance(old, list) and isinstance(new, list):
        yield from (f"{pointer or '/'} now has {shown(each)}" for each in new if each not in old)  # pyright: ignore[reportUnknownVariableType]
        yield from (f"{pointer or '/'} no longer has {shown(each)}" for each in old if each not in new)  # pyright: ignore[reportUnknownVariableType]
    else:
        yield became(pointer or "the value", old, new)


def bound_changes(old: BundleMetadata, new: BundleMetadata) -> Iterator[Change]:
    """Yield the changes of the bundle's metadata."""
    for what, effect in (*_library(old.library, new.library), *_metadata(old, new)):
        yield Change(about="bundle", name="", what=what, effect=effect)


def _library(old: Library, new: Library) -> Told:
    if old != new:
        was, now = (f"{each.version or 'unknown'} ({each.digest[:12] or 'no digest'})" for each in (old, new))
        yield f"now contains the stock library {now}, not {was}", "same" if old.digest == new.digest else "unclear"


_BOUND: Final[Mapping[str, Effect]] = {
    "environment": "unclear",
    "input_schema": "unclear",
    "lowest_gateway": "same",
    "commit": "same",
    "author": "same",
    "not_after": "same",
    "reverts": "same",
}


def _metadata(old: BundleMetadata, new: BundleMetadata) -> Told:
    for field, effect in _BOUND.items():
        before, after = (getattr(metadata, field) or None for metadata in (old, new))
        if before != after:
            yield became(field, before, after), effect
    if new.seq < old.seq:
        yield f"has the lower sequence number {new.seq}: a gateway that enforced {old.seq} rejects it", "same"
