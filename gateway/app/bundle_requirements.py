"""The conditions that a policy must meet so that this gateway may enforce it.

Rule 1: these are the checks before a bundle is offered (`signature_checks`), applied to the manifest in OPA itself. A
worker makes no decision with a policy that fails them, regardless of its source and of earlier checks.
"""

import time
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.admission.decision import FailureCode, PolicyFailure
from gateway.admission.policy_input import SCHEMA
from gateway.artifact.manifest import NAMES_UNKNOWN_CLAIMS, Library, Manifest, moment_of, read_manifest
from gateway.artifact.rejection import MEANINGS, Rejected
from gateway.artifact.signature_checks import EnforcementContext, unenforceable, version_numbers
from gateway.opa.revision_gate import Fit
from gateway.version import VERSION

_NS: Final = 1_000_000_000
_CODES: Final[Mapping[str, FailureCode]] = {
    "bundle_of_other_environment": "bundle_of_other_environment",
    "bundle_input_unknown": "bundle_input_unknown",
    "bundle_needs_newer_gateway": "bundle_needs_newer_gateway",
    "policy_expired": "policy_expired",
}
"""Rejections of a bundle as failures of decisions; any other means that the manifest is not from this program."""


class GatewayDescription(Struct, frozen=True, kw_only=True):
    """The properties of this gateway; an empty `environment` accepts any, because the OPA is external."""

    environment: str
    grace_s: float = 0
    version: str = VERSION
    reads_claims: bool = False
    """True if callers may present JWTs, whose claims may be unknown."""

    def judged(self, manifest: bytes) -> Fit | PolicyFailure:
        """Return until when the policy of this manifest may be enforced, or why it may not."""
        read = read_manifest(manifest)
        rejected = read if isinstance(read, Rejected) else self._rejected(read)
        if rejected is None and isinstance(read, Manifest):
            return self._fit(read)
        found = rejected or Rejected("bundle_unreadable", "it has no valid manifest")
        revision = read.revision if isinstance(read, Manifest) else ""
        code = _CODES.get(found.code, "bundle_unreadable")
        return PolicyFailure(code=code, detail=f"{MEANINGS[found.code]} ({found.detail})", revision=revision)

    def _rejected(self, manifest: Manifest) -> Rejected | None:
        """Return the rejection of a manifest; the ratchet checks the highest enforced number, not this method."""
        metadata = manifest.metadata
        standing = EnforcementContext(
            environment=self.environment or metadata.environment,
            highest_seq=0,
            unix_ns=time.time_ns(),
            version=self.version,
            input_schema=SCHEMA,
            grace_s=self.grace_s,
        )
        return unenforceable(metadata, standing)

    def _fit(self, manifest: Manifest) -> Fit:
        not_after = manifest.metadata.not_after
        ends = moment_of(not_after)
        return Fit(
            revision=manifest.revision,
            not_after=not_after,
            ends_ns=None if ends is None else ends + int(self.grace_s * _NS),
            library_problem=self._library_problem(manifest.metadata.library),
        )

    def _library_problem(self, library: Library) -> str:
        known = library.version and version_numbers(library.version) >= version_numbers(NAMES_UNKNOWN_CLAIMS)
        if not self.reads_claims or known:
            return ""
        return (
            f"the policy's stock library {library.version or 'of unknown version'} treats unreadable claims as absent, "
            "so rules about groups may permit too much: build the policy again with this version"
        )
