"""The reason for rejecting a bundle, as a value with a code that metrics, records and refusals share.

Rule 1: the codes are a closed set; each has its sentence here, and a test.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

Code = Literal[
    "bundle_unreadable",
    "bundle_too_large",
    "bundle_delta",
    "bundle_unsigned",
    "bundle_signature_invalid",
    "bundle_oversteps",
    "bundle_ignores_stops",
    "bundle_of_other_environment",
    "bundle_input_unknown",
    "bundle_needs_newer_gateway",
    "policy_regressed",
    "policy_expired",
]

MEANINGS: Final[Mapping[Code, str]] = {
    "bundle_unreadable": "it is not a valid bundle: truncated, not a gzipped tar, or unreadable manifest",
    "bundle_too_large": "it exceeds the maximum size of a bundle",
    "bundle_delta": "it is a delta bundle, which OPA would accept without a signature (GHSA-g2pf-6v5v-qcc8)",
    "bundle_unsigned": "it has no signature",
    "bundle_signature_invalid": "it is not signed by a key that is valid here and for this use, or it was changed",
    "bundle_oversteps": "it claims a part of OPA's data, or contains files, that a bundle of this use may not have",
    "bundle_ignores_stops": "its policy would not enforce stops",
    "bundle_of_other_environment": "it is for another environment than the one that is enforced here",
    "bundle_input_unknown": "it requires another form of policy input than this gateway sends",
    "bundle_needs_newer_gateway": "it requires a newer gateway",
    "policy_regressed": "its sequence number is lower than one that was enforced before",
    "policy_expired": "it has expired",
}


class Rejected(Struct, frozen=True):
    """The reason for rejecting a bundle."""

    code: Code
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {MEANINGS[self.code]} ({self.detail})"
