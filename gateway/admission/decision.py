"""OPA's answer, `mcp.decision/v1` and `mcp.listing/v1` (DESIGN section 4).

Rule 1: a reply is decoded into these types or it is a failure; nothing is read from a reply that does not fit.
Rule 2: nothing, an unknown shape and an allow without grounds or route are denials.
"""

from typing import Any, Literal

from msgspec import Struct

Word = Literal["", "digest", "masked", "full"]
Severity = Literal["low", "medium", "high", "critical"]


class Reason(Struct, frozen=True, kw_only=True):
    """Why a message does not pass: one requirement that was not met, or a failure of our own."""

    requirement: str
    message: str
    severity: Severity = "medium"
    remedy: str = ""


class Ground(Struct, frozen=True, kw_only=True):
    """A rule that admitted or refused, with whom to ask about it."""

    rule: str
    effect: str
    owner: str = ""
    because: str = ""
    expires: str | None = None


class Obligation(Struct, frozen=True, kw_only=True):
    """What must be done when the message passes; none is implemented yet, so any is a denial."""

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
    """The catalog's word on the server."""

    id: str
    trust: str = ""
    owner: str = ""


class Resolved(Struct, frozen=True, kw_only=True):
    """What OPA joined from the bundle; null where the bundle has no such entry."""

    agent: ResolvedAgent | None = None
    server: ResolvedServer | None = None
    action: str = "unknown"
    action_source: str = "default"
    pin: str = "unseen"
    data: list[str] | None = None
    """The data classes of the target; null if they are unknown, or if the environment lists none."""
    reach: str | None = None
    """How far the target reaches, `internal` or `external`; null if nothing says it."""


class Credential(Struct, frozen=True, kw_only=True):
    """The name of the upstream credential; the gateway reads its value from the secrets directory."""

    name: str
    per: Literal["shared", "principal"]


class Route(Struct, frozen=True, kw_only=True):
    """Where an allowed message goes; there is no other source of upstream addresses."""

    url: str
    credential: Credential | None = None
    timeout_s: float = 60
    large_results: bool = False
    normal_uris: bool = False
    """True where the policy matches resources in normal form, so that other spellings of them may pass."""
    check_output: bool = False
    """True where a tool's `structuredContent` must fit the output schema that the server presents."""
    instructions: str = "any"
    """The digest that the server's `instructions` must have; `any` (as in answers of older policies) compares nothing,
    `none` lets no text pass."""


class NeededFacts(Struct, frozen=True, kw_only=True):
    """Facts that the policy reads of a string argument, or of the strings of a list, and that the question lacks."""

    path: str
    """A JSON pointer into the arguments."""
    facts: list[str]


class Decision(Struct, frozen=True, kw_only=True):
    """One decision; `route` is present on an allow only."""

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
    """What this policy reads of arguments, claims and headers on this server: JSON pointers into the policy input."""
    record: Word = ""
    """What the catalog wants recorded of the arguments; empty if it does not say."""
    needs_definition: bool = False
    """True if policy may refuse only because the definition could not be seen; absent in answers of older policies."""
    needs_facts: list[NeededFacts] = []
    """What this decision took as unknown; none if the question states facts, or if no rule reads any."""
    route: Route | None = None


class ListedItem(Struct, frozen=True, kw_only=True):
    """The verdict on one item, in the order of the question's `items`."""

    listed: bool
    refused_by: list[str] = []


class Listing(Struct, frozen=True, kw_only=True):
    """The verdicts on a chunk of items; `len(items)` equals that of the question, or it is a failure."""

    schema: Literal["mcp.listing/v1"]
    items: list[ListedItem]


def standing_of(revision: str, emergency: str) -> str:
    """What an answer depends on: the revisions of the policy and of the stops, as one text to compare and to key by."""
    return f"{revision} {emergency}".rstrip()


class Verdict(Struct, frozen=True, kw_only=True):
    """A reply that was understood, with the proof of which revisions gave it."""

    decision: Decision
    revision: str
    decision_id: str
    micros: int
    emergency: str = ""
    """The revision of the stops; empty where OPA follows none."""

    @property
    def standing(self) -> str:
        """Both revisions."""
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
    """OPA did not give a usable answer, or one of a policy that may not be enforced; always a denial.

    `policy_unavailable` counts against the breaker; a message's missed deadline does not, nor does `policy_error` (an
    evaluation error): a caller may be able to provoke both. `too_many_questions` and `overloaded` are of questions that
    OPA was not asked, for want of a place. The others say what is wrong with the policy in force.
    """

    code: FailureCode
    detail: str
    requirement: str = ""
    revision: str = ""


class ListingVerdict(Struct, frozen=True, kw_only=True):
    """A listing reply that was understood."""

    listing: Listing
    revision: str
    micros: int
    emergency: str = ""

    @property
    def standing(self) -> str:
        """Both revisions."""
        return standing_of(self.revision, self.emergency)
