"""OPA's answer, `mcp.decision/v1` and `mcp.listing/v1` (DESIGN section 4).

Rule 1: a reply decodes into these types or it is a failure. Nothing is read from a reply that does not fit.
Rule 2: a missing reply, an unknown shape and an allow without grounds or route are denials.
"""

from typing import Any, Literal

from msgspec import Struct

Word = Literal["", "digest", "masked", "full"]
Severity = Literal["low", "medium", "high", "critical"]


class Reason(Struct, frozen=True, kw_only=True):
    """One reason for a refusal: a requirement that is not met, or a failure of the gateway."""

    requirement: str
    message: str
    severity: Severity = "medium"
    remedy: str = ""


class Ground(Struct, frozen=True, kw_only=True):
    """A rule that admitted or refused, with its owner."""

    rule: str
    effect: str
    owner: str = ""
    because: str = ""
    expires: str | None = None


class Obligation(Struct, frozen=True, kw_only=True):
    """An action that must be taken when the message passes. None is implemented yet, so any obligation is a denial."""

    requirement: str
    type: str
    params: dict[str, Any] = {}


class ResolvedAgent(Struct, frozen=True, kw_only=True):
    """The registered agent that the principal acts as."""

    id: str
    owner: str = ""
    purpose: str = ""
    kind: str = ""


class ResolvedServer(Struct, frozen=True, kw_only=True):
    """The catalog entry of the server."""

    id: str
    trust: str = ""
    owner: str = ""


class Resolved(Struct, frozen=True, kw_only=True):
    """Facts that OPA joined from the bundle; null if the bundle has no such entry."""

    agent: ResolvedAgent | None = None
    server: ResolvedServer | None = None
    action: str = "unknown"
    action_source: str = "default"
    pin: str = "unseen"
    data: list[str] | None = None
    """The data classes of the target; null if they are unknown, or if the environment lists none."""
    reach: str | None = None
    """Reach of the target, `internal` or `external`; null if it is not stated."""


class Credential(Struct, frozen=True, kw_only=True):
    """The name of the upstream credential. The gateway reads its value from the secrets directory."""

    name: str
    per: Literal["shared", "principal"]


class Route(Struct, frozen=True, kw_only=True):
    """The upstream address of an allowed message. Upstream addresses have no other source."""

    url: str
    credential: Credential | None = None
    timeout_s: float = 60
    large_results: bool = False
    normal_uris: bool = False
    """True if the policy matches resources in normal form, so that other spellings of them may pass."""
    check_output: bool = False
    """True if a tool's `structuredContent` must fit the output schema that the server presents."""
    instructions: str = "any"
    """The required digest of the server's `instructions`. `any` (also in answers of older policies) compares nothing,
    `none` passes no text."""


class NeededFacts(Struct, frozen=True, kw_only=True):
    """Facts about a string argument, or about the strings of a list, that the policy reads and the question lacks."""

    path: str
    """A JSON pointer into the arguments."""
    facts: list[str]


class Decision(Struct, frozen=True, kw_only=True):
    """One decision. Only an allow has a `route`."""

    schema: Literal["mcp.decision/v1"]
    outcome: Literal["allow", "hold", "deny"]
    reasons: list[Reason]
    grounds: list[Ground]
    resolved: Resolved
    warnings: list[Reason] = []
    shadow: list[Reason] = []
    obligations: list[Obligation] = []
    observe: bool = False
    """True while `data.environment.observe` is in force."""
    reads: list[str] = []
    """Arguments, claims and headers that this policy reads on this server, as JSON pointers into the policy input."""
    record: Word = ""
    """The recording level that the catalog sets for the arguments; empty if it sets none."""
    needs_definition: bool = False
    """True if policy may refuse only because the definition was not seen; absent in answers of older policies."""
    needs_facts: list[NeededFacts] = []
    """Facts that this decision treated as unknown; none if the question states facts, or if no rule reads any."""
    route: Route | None = None


class ListedItem(Struct, frozen=True, kw_only=True):
    """The verdict on one item, in the order of the question's `items`."""

    listed: bool
    refused_by: list[str] = []


class Listing(Struct, frozen=True, kw_only=True):
    """The verdicts on a chunk of items. `len(items)` must equal that of the question, or the reply is a failure."""

    schema: Literal["mcp.listing/v1"]
    items: list[ListedItem]


def standing_of(revision: str, emergency: str) -> str:
    """Return the revisions of the policy and of the stops that an answer depends on, as one text and cache key."""
    return f"{revision} {emergency}".rstrip()


class Verdict(Struct, frozen=True, kw_only=True):
    """A valid reply, with the revisions that gave it."""

    decision: Decision
    revision: str
    decision_id: str
    micros: int
    emergency: str = ""
    """The revision of the stops; empty if OPA follows none."""

    @property
    def standing(self) -> str:
        """Return both revisions."""
        return standing_of(self.revision, self.emergency)


FailureCode = Literal[
    "policy_unavailable",
    "too_many_questions",
    "overloaded",
    "policy_error",
    "policy_regressed",
    "policy_expired",
    "policy_stale",
    "bundle_unreadable",
    "bundle_of_other_environment",
    "bundle_input_unknown",
    "bundle_needs_newer_gateway",
]


class PolicyFailure(Struct, frozen=True, kw_only=True):
    """A missing or unusable answer of OPA, or one of a policy that may not be enforced. It is always a denial.

    `policy_unavailable` counts against the breaker. A message's missed deadline and `policy_error` (an evaluation
    error) do not, because a caller may be able to provoke both. `too_many_questions` and `overloaded` are questions
    that OPA was not asked for lack of a slot. The others state what is wrong with the policy in force.
    """

    code: FailureCode
    detail: str
    requirement: str = ""
    revision: str = ""


class ListingVerdict(Struct, frozen=True, kw_only=True):
    """A valid listing reply."""

    listing: Listing
    revision: str
    micros: int
    emergency: str = ""

    @property
    def standing(self) -> str:
        """Return both revisions."""
        return standing_of(self.revision, self.emergency)
