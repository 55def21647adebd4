"""Bytes from a bundle service become a bundle that may be offered to OPA, or a rejection.

Rule 1: read strictly, then the signature, then what it claims, then what it was made for: nothing is offered before.
Rule 2: a bundle stays within its roots: the policy cannot say what is stopped, and stops cannot say what is allowed.
Rule 3: what is offered is the verified content, byte for byte, under a signature of our own for the loopback way.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.artifact import MANIFEST, Artifact, read_artifact
from gateway.artifact.emergency_bundle import (
    ENVIRONMENT,
    EXTENDED,
    KINDS,
    NEWER,
    NOBODY,
    ROOT,
    SCHEMA,
    Kind,
    Stop,
    named,
)
from gateway.artifact.layout import COMBINED_REQUIREMENTS, REQUIREMENTS
from gateway.artifact.manifest import ROOTS
from gateway.artifact.pack import archived
from gateway.artifact.rejection import Rejected
from gateway.artifact.signature_checks import (
    EMERGENCY,
    POLICY,
    EnforcementContext,
    VerifyingKey,
    unenforceable,
    unsigned_by,
)
from gateway.artifact.signing import SigningKey
from gateway.follow.bundle_endpoint import Offer

DATA: Final = "data.json"
LIBRARY: Final = "mcp/lib/emergency/emergency.rego"
"""The file of a policy bundle that reads the stops."""
HEEDS: Final = "nothing_is_stopped"
"""The requirement that refuses what is stopped."""


class BundlePurpose(Struct, frozen=True):
    """What a bundle is for: the scope of its signature, what it may own of OPA's data, the files that it may hold."""

    scope: str
    roots: frozenset[str]
    files: frozenset[str] | None = None


POLICIES: Final = BundlePurpose(POLICY, frozenset(ROOTS))
STOPS: Final = BundlePurpose(EMERGENCY, frozenset({ROOT}), frozenset({MANIFEST, DATA}))


class _Document(Struct, forbid_unknown_fields=True):
    schema: str
    agent: dict[str, list[Stop]]
    principal: dict[str, list[Stop]]
    server: dict[str, list[Stop]]
    target: dict[str, list[Stop]]
    session: dict[str, list[Stop]] | None = None
    group: dict[str, list[Stop]] | None = None
    label: dict[str, list[Stop]] | None = None
    kind: dict[str, list[Stop]] | None = None
    tag: dict[str, list[Stop]] | None = None
    action: dict[str, list[Stop]] | None = None


class _Data(Struct, forbid_unknown_fields=True):
    emergency: _Document


_DECODER: Final = msgspec.json.Decoder(_Data)


def judged(
    content: bytes, use: BundlePurpose, keys: Sequence[VerifyingKey], standing: EnforcementContext
) -> Artifact | Rejected:
    """The bundle in these bytes, fit to be offered; or why it is not."""
    artifact = read_artifact(content)
    if isinstance(artifact, Rejected):
        return artifact
    wrong = unsigned_by(artifact, keys, use.scope) or _overstep(artifact, use)
    wrong = wrong or unenforceable(artifact.manifest.metadata, standing)
    if wrong is None and use == STOPS:
        stops = stops_in(artifact)
        wrong = stops if isinstance(stops, Rejected) else None
    return wrong or artifact


def heedless(artifact: Artifact) -> Rejected | None:
    """Why a policy would let pass what is stopped: older libraries have no such requirement; None where it has it."""
    combined = artifact.files.get(COMBINED_REQUIREMENTS, b"")
    if f"data.{REQUIREMENTS}{HEEDS}.met == true".encode() in combined:
        return None
    return Rejected("bundle_ignores_stops", f"it has no requirement {HEEDS}; build it anew on this stock library")


def understands(artifact: Artifact) -> bool:
    """Return whether a policy can enforce stops of the newer kinds and combined ones: an earlier library cannot."""
    return EXTENDED.encode() in artifact.files.get(LIBRARY, b"")


def offered(artifact: Artifact, use: BundlePurpose, key: SigningKey) -> Offer:
    """The bundle as OPA is given it, signed by the key that this OPA was started with."""
    return Offer(f'"{artifact.digest}"', archived(artifact.files, key, scope=use.scope))


def stops_in(artifact: Artifact) -> tuple[Stop, ...] | Rejected:
    """The stops in an emergency bundle, each under its own kind and name."""
    try:
        document = _DECODER.decode(artifact.files.get(DATA, b"")).emergency
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejected("bundle_unreadable", f"its document of stops cannot be read: {error}")
    schema = document.schema
    if schema not in {SCHEMA, EXTENDED} or artifact.manifest.metadata.environment != ENVIRONMENT:
        return Rejected("bundle_unreadable", f"its document of stops is {schema!r}, not {SCHEMA!r} or {EXTENDED!r}")
    kinds: dict[Kind, dict[str, list[Stop]] | None] = {kind: getattr(document, kind) for kind in KINDS}
    if schema == SCHEMA and any(kinds[kind] is not None for kind in NEWER):
        return Rejected("bundle_unreadable", f"its document of stops has kinds that {SCHEMA!r} has not")
    found: list[Stop] = []
    for kind, names in kinds.items():
        if names is None and schema == SCHEMA:
            continue
        if names is None or names.pop(NOBODY, None) != []:
            return Rejected("bundle_unreadable", f"its document of stops says nothing of kind {kind}")
        for name, stops in names.items():
            if not stops or any(stop.kind != kind or stop.name != name or not named(stop) for stop in stops):
                return Rejected("bundle_unreadable", f"its document of stops has {kind} {name!r} in a wrong place")
            found += stops
    return tuple(found)


def _overstep(artifact: Artifact, use: BundlePurpose) -> Rejected | None:
    """Why the bundle claims what is not its own; None where it stays within its use."""
    roots = set(artifact.manifest.roots)
    if not roots or not roots <= use.roots:
        return Rejected("bundle_oversteps", f"its roots are {', '.join(sorted(roots)) or 'everything'}")
    if use.files is not None and use.files ^ artifact.files.keys():
        return Rejected("bundle_oversteps", "it holds other files than its manifest and its data")
    return None
