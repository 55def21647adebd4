"""Accept the bytes from a bundle service as a bundle that may be offered to OPA, or reject them.

Rule 1: a bundle is offered only after all checks, in this order: strict reading, signature, roots, and conditions in
its metadata.
Rule 2: a bundle stays within its roots: a policy bundle cannot define stops, and stops cannot allow anything.
Rule 3: the gateway offers the verified content, byte for byte, and signs it with its own key for the loopback
connection.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.artifact import MANIFEST, Artifact, read_artifact
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
from gateway.artifact.stops_bundle import (
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
from gateway.follow.bundle_endpoint import Offer

DATA: Final = "data.json"
LIBRARY: Final = "mcp/lib/emergency/emergency.rego"
"""The file of a policy bundle that reads the stops."""
HEEDS: Final = "nothing_is_stopped"
"""The requirement that enforces stops."""


class BundlePurpose(Struct, frozen=True):
    """The use of a bundle: the scope of its signature, the roots that it may own, and the files that it may contain."""

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
    """Return the bundle in these bytes if it may be offered, or else the rejection."""
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
    """Return a rejection if a policy does not enforce stops: older libraries do not have that requirement."""
    combined = artifact.files.get(COMBINED_REQUIREMENTS, b"")
    if f"data.{REQUIREMENTS}{HEEDS}.met == true".encode() in combined:
        return None
    return Rejected("bundle_ignores_stops", f"it lacks the requirement {HEEDS}: build it again with this stock library")


def understands(artifact: Artifact) -> bool:
    """Return whether a policy can enforce combined stops and stops of the newer kinds: an earlier library cannot."""
    return EXTENDED.encode() in artifact.files.get(LIBRARY, b"")


def offered(artifact: Artifact, use: BundlePurpose, key: SigningKey) -> Offer:
    """Return the bundle to offer to OPA, signed with the key that this OPA was started with."""
    return Offer(f'"{artifact.digest}"', archived(artifact.files, key, scope=use.scope))


def stops_in(artifact: Artifact) -> tuple[Stop, ...] | Rejected:
    """Return the stops in an emergency bundle, or a rejection unless each is under its own kind and name."""
    try:
        document = _DECODER.decode(artifact.files.get(DATA, b"")).emergency
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejected("bundle_unreadable", f"its document of stops is not valid: {error}")
    schema = document.schema
    if schema not in {SCHEMA, EXTENDED} or artifact.manifest.metadata.environment != ENVIRONMENT:
        return Rejected("bundle_unreadable", f"the schema of its stops is {schema!r}, not {SCHEMA!r} or {EXTENDED!r}")
    kinds: dict[Kind, dict[str, list[Stop]] | None] = {kind: getattr(document, kind) for kind in KINDS}
    if schema == SCHEMA and any(kinds[kind] is not None for kind in NEWER):
        return Rejected("bundle_unreadable", f"its document of stops has kinds that {SCHEMA!r} does not define")
    found: list[Stop] = []
    for kind, names in kinds.items():
        if names is None and schema == SCHEMA:
            continue
        if names is None or names.pop(NOBODY, None) != []:
            return Rejected("bundle_unreadable", f"its document of stops lacks the kind {kind}")
        for name, stops in names.items():
            if not stops or any(stop.kind != kind or stop.name != name or not named(stop) for stop in stops):
                return Rejected("bundle_unreadable", f"its document of stops has a wrong entry under {kind} {name!r}")
            found += stops
    return tuple(found)


def _overstep(artifact: Artifact, use: BundlePurpose) -> Rejected | None:
    """Return a rejection if the bundle exceeds the roots or the files of its use."""
    roots = set(artifact.manifest.roots)
    if not roots or not roots <= use.roots:
        return Rejected("bundle_oversteps", f"its roots are {', '.join(sorted(roots)) or 'everything'}")
    if use.files is not None and use.files ^ artifact.files.keys():
        return Rejected("bundle_oversteps", "its files are not exactly its manifest and its data")
    return None
