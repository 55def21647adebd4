"""The manifest of a bundle, `mcp.bundle/v1`.

Rule 1: the metadata state the conditions of a bundle. A gateway that does not satisfy them rejects the bundle.
Rule 2: unknown metadata are ignored, so that an older gateway can read the bundles of a newer build. A bundle that an
older gateway may not enforce declares this with `lowest_gateway`.
Rule 3: a revision is derived from the environment, the content and the sequence number.
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
"""The roots that a policy bundle owns in OPA's data."""
LOWEST_GATEWAY: Final = "0.1.0"
"""The oldest gateway that can read the bundles of this build."""
CHECKS_SERVERS: Final = "0.2.0"
"""The first gateway that checks structured results and instructions, and checks schemas strictly."""
NAMES_UNKNOWN_CLAIMS: Final = "0.3.0"
"""The first gateway that names unreadable claims, computes facts, and records arguments as the catalog requires."""


class Library(Struct, frozen=True, kw_only=True):
    """The stock library in a bundle: its version, and the SHA-256 of its Rego without tests."""

    version: str = ""
    digest: str = ""


class BundleMetadata(Struct, frozen=True, kw_only=True):
    """The metadata of a revision; times are RFC 3339 in UTC, to the second."""

    environment: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]
    seq: Annotated[int, Meta(ge=0, lt=10**18)]
    schema: Literal["mcp.bundle/v1"] = SCHEMA
    commit: str = ""
    """The Git commit of the content; empty in development."""
    author: str = ""
    """The person responsible for that commit."""
    built: str = ""
    not_after: str = ""
    """The time from which gateways reject the bundle; empty means never (in development)."""
    reverts: str = ""
    """The revision that this bundle reverts; empty if it is not a rollback."""
    library: Library = field(default_factory=Library)
    input_schema: str = INPUT_SCHEMA
    lowest_gateway: str = LOWEST_GATEWAY


class Manifest(Struct, frozen=True, kw_only=True):
    """OPA's `.manifest` as the build writes it."""

    revision: str
    metadata: BundleMetadata
    roots: tuple[str, ...] = tuple(sorted(ROOTS))
    rego_version: int = 1


_DECODER: Final = msgspec.json.Decoder(Manifest)


def read_manifest(content: bytes) -> Manifest | Rejected:
    """Return the manifest in the bytes of `.manifest`, or the rejection if they are not valid."""
    try:
        return _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejected("bundle_unreadable", f"its .manifest is not valid: {error}")


def content_id(files: Mapping[str, bytes]) -> str:
    """Return twelve hexadecimal digits of a digest of the names and contents."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def revision_of(metadata: BundleMetadata, files: Mapping[str, bytes]) -> str:
    """Return the revision of a bundle of these files, which exclude the manifest and the signatures."""
    return f"{metadata.environment}@{content_id(files)}.{metadata.seq}"


def moment_of(text: str) -> int | None:
    """Return the nanoseconds since 1970 of an RFC 3339 text with a time zone; None for any other text."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if instant.tzinfo is None else int(instant.timestamp()) * 1_000_000_000


def rfc3339(unix_s: float) -> str:
    """Return the time in the form that the metadata use."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
