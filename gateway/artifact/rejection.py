"""Why a bundle is not taken, as a value with a code that metrics, records and refusals share.

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
    "bundle_unreadable": "it is no bundle of ours: truncated, not a gzip tar, or with a manifest that cannot be read",
    "bundle_too_large": "it is larger than a bundle may be",
    "bundle_delta": "it is a delta bundle, which OPA would take without a signature (GHSA-g2pf-6v5v-qcc8)",
    "bundle_unsigned": "it carries no signature",
    "bundle_signature_invalid": "it is not signed by a key that is valid here, or not for this use, or was changed",
    "bundle_oversteps": "it claims a part of OPA's data, or holds files, that a bundle of its use may not",
    "bundle_ignores_stops": "its policy would not refuse what is stopped",
    "bundle_of_other_environment": "it is of another environment than the one that is enforced here",
    "bundle_input_unknown": "it judges questions of a form that this gateway does not ask",
    "bundle_needs_newer_gateway": "it needs a newer gateway",
    "policy_regressed": "its sequence number is lower than one that was enforced before",
    "policy_expired": "its time is over",
}


class Rejected(Struct, frozen=True):
    """A bundle that is not taken, and why."""

    code: Code
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {MEANINGS[self.code]} ({self.detail})"
