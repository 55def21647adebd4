"""What a policy must have been made for, so that this gateway may enforce it.

Rule 1: it is the same judgment as before a bundle is offered (`signature_checks`), held against what OPA itself shows:
whoever feeds an OPA, and whatever was checked there, a worker decides by nothing that it does not satisfy.
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
"""Rejections of a bundle as failures of decisions; every other says that its manifest is none of ours."""


class GatewayDescription(Struct, frozen=True, kw_only=True):
    """What this gateway is; `environment` empty: any, because the OPA is not ours."""

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
        found = rejected or Rejected("bundle_unreadable", "nothing is known of it")
        revision = read.revision if isinstance(read, Manifest) else ""
        code = _CODES.get(found.code, "bundle_unreadable")
        return PolicyFailure(code=code, detail=f"{MEANINGS[found.code]} ({found.detail})", revision=revision)

    def _rejected(self, manifest: Manifest) -> Rejected | None:
        """The highest number that was enforced is the ratchet's, not looked at here."""
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
            f"the stock library {library.version or 'of an unknown version'} of the policy takes claims that cannot be "
            "read for none, so that rules about groups may permit too much: build the policy again with this version"
        )
