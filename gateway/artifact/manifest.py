"""What a bundle says of itself: its manifest, `mcp.bundle/v1`.

Rule 1: the metadata bind what the bundle was made for; a gateway that does not satisfy them refuses the bundle.
Rule 2: unknown metadata are passed over, so that an older gateway reads the bundles of a newer build; what an older
gateway may not enforce says so by `lowest_gateway`.
Rule 3: a revision follows from what it names: environment, content and sequence number.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from gateway.admission.policy_input import SCHEMA as INPUT_SCHEMA
from gateway.artifact.rejection import Rejected

SCHEMA: Final = "mcp.bundle/v1"
ROOTS: Final = (
    "mcp",
    "environment",
    "required",
    "enforcement",
    "catalog",
    "agents",
    "rules",
    "own",
    "index",
    "requirements",
)
"""What a policy bundle owns of OPA's data."""
LOWEST_GATEWAY: Final = "0.1.0"
"""The first gateway that understands what the build of this version writes."""
CHECKS_SERVERS: Final = "0.2.0"
"""The first gateway that checks structured results, instructions, and schemas strictly."""
NAMES_UNKNOWN_CLAIMS: Final = "0.3.0"
"""The first gateway that names the claims that it could not read, computes facts, and records what catalogs want."""


class Library(Struct, frozen=True, kw_only=True):
    """The stock library in a bundle: its version, and SHA-256 over its Rego without tests."""

    version: str = ""
    digest: str = ""


class BundleMetadata(Struct, frozen=True, kw_only=True):
    """What is bound to the revision; times are RFC 3339 in UTC, to the second."""

    environment: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]
    seq: Annotated[int, Meta(ge=0, lt=10**18)]
    schema: Literal["mcp.bundle/v1"] = SCHEMA
    commit: str = ""
    """Git commit that the content is of; empty in development."""
    author: str = ""
    """Who answers for that commit."""
    built: str = ""
    not_after: str = ""
    """From then on gateways refuse the bundle; empty means never: in development."""
    reverts: str = ""
    """The revision whose successor this takes back; empty where it takes nothing back."""
    library: Library = field(default_factory=Library)
    input_schema: str = INPUT_SCHEMA
    lowest_gateway: str = LOWEST_GATEWAY


class Manifest(Struct, frozen=True, kw_only=True):
    """OPA's `.manifest` as we write it."""

    revision: str
    metadata: BundleMetadata
    roots: tuple[str, ...] = tuple(sorted(ROOTS))
    rego_version: int = 1


_DECODER: Final = msgspec.json.Decoder(Manifest)


def read_manifest(content: bytes) -> Manifest | Rejected:
    """The manifest in the bytes of `.manifest`, or why there is none."""
    try:
        return _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejected("bundle_unreadable", f"its .manifest is not one of ours: {error}")


def content_id(files: Mapping[str, bytes]) -> str:
    """Twelve hexadecimal digits over names and contents."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def revision_of(metadata: BundleMetadata, files: Mapping[str, bytes]) -> str:
    """The revision of a bundle of these files (the manifest and the signatures are none of them)."""
    return f"{metadata.environment}@{content_id(files)}.{metadata.seq}"


def moment_of(text: str) -> int | None:
    """The wall time, nanoseconds since 1970, of an RFC 3339 text with a zone; None for anything else."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if instant.tzinfo is None else int(instant.timestamp()) * 1_000_000_000


def rfc3339(unix_s: float) -> str:
    """The time as the metadata write it."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
