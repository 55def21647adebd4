"""The records as they are written, `mcp.record/v2`: one type a kind; `record.schema.json` is generated from them.

Rule 1: a record repeats nothing that the bundle of its `revision` or a `described` record says. Of a decision it says
who (`principal`, `agent`), what (`method`, `server`, `target`), the outcome, the rules with their owners, the revision.
Rule 2: a field that is left out has its default, or is not known; `record.schema.json` states the defaults.
Rule 3: every record has `time` (RFC 3339). Its writer adds `schema`, `at` (nanoseconds since 1970, never decreasing
within a writer), `writer` and `sequence`.
Rule 4: fields that are reserved for later are in the schema, so that readers can rely on their names and types.
"""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from gateway.admission.decision import Ground, Obligation, Reason, ResolvedAgent
from gateway.admission.masking import Level
from gateway.admission.policy_input import ArgumentError, Client, Gateway, Item, Kind, Phase, Retry, SchemaCheck
from gateway.admission.principal import ClaimField
from gateway.admission.record import Caller, Outcome

RESERVED: Final = "Reserved: no gateway writes it yet. "


class TargetLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the message touches."""

    type: Annotated[str, Meta(description="Left out if the method implies it.")] = ""
    name: str | None = None
    uri: str | None = None
    written: str | None = None


class PrincipalLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who sent the message; the rest of the credential is in the `circumstances`."""

    kind: str
    subject: str | None = None
    client_id: Annotated[str | None, Meta(description="Of a principal without a subject.")] = None


class AgentLine(Struct, frozen=True, kw_only=True):
    """The registered agent; its owner, purpose and kind are in a `described` record."""

    id: str


class GroundLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that admitted or refused; its reason and end are in a `described` record."""

    rule: str
    owner: str = ""
    effect: str = "allow"


class ArgumentsLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Measures of the arguments, and what `journal.masking` and the catalog's `record` let be written of them."""

    bytes: int = 0
    depth: int = 1
    schema: SchemaCheck = "match"
    formats: SchemaCheck = "none"
    digest: Annotated[
        str, Meta(description="HMAC-SHA-256 over their RFC 8785 JSON, unmasked: the first 128 bits, hexadecimal.")
    ] = ""
    unchecked: tuple[str, ...] = ()
    errors: tuple[ArgumentError, ...] = ()
    values: Annotated[
        dict[str, Any] | None, Meta(description="The arguments as they were masked; left out if nothing is recorded.")
    ] = None
    sha256: Annotated[str, Meta(description="Digest of the arguments that were recorded whole.")] = ""
    sealed: Annotated[str, Meta(description="The arguments without secrets, encrypted with age, in base64.")] = ""


class ApprovalLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An approval by people."""

    id: str
    approvers: tuple[str, ...] = ()


class ResultLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result as the client got it."""

    digest: Annotated[
        str, Meta(description="HMAC-SHA-256 of the response's bytes: the first 128 bits, hexadecimal.")
    ] = ""
    type: Annotated[
        str,
        Meta(
            description="`error`, `list`, the one type of its content blocks (such as `text`), `mixed` for several "
            "types, `object` without content blocks, `unread` for a large result that was relayed unread."
        ),
    ] = ""
    items: Annotated[int, Meta(description="Entries of a list, or content blocks.")] = 0
    classes: Annotated[tuple[str, ...], Meta(description=RESERVED + "Classes of data in the result.")] = ()
    schema: Annotated[str, Meta(description=RESERVED + "Digest of the schema of the result.")] = ""


class DecidedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="decided"):
    """A message was decided; written before anything comes of it."""

    call_id: str
    time: Annotated[str, Meta(description="The moment that policy judged by, RFC 3339 with nanoseconds.")]
    outcome: Outcome
    method: str
    server: str
    principal: PrincipalLine
    source_ip: str
    request_id: Annotated[str, Meta(description="The `x-request-id` of the HTTP exchange.")] = ""
    trace_id: Annotated[str, Meta(description="W3C trace id, as the client states it; unverified.")] = ""
    conversation: Annotated[str, Meta(description="The conversation, as the client states it; unverified.")] = ""
    unverified: Annotated[
        tuple[str, ...],
        Meta(description="Which of request_id, trace_id and conversation only the client states."),
    ] = ()
    target: TargetLine = field(default_factory=TargetLine)
    phase: Phase = "request"
    message_kind: Kind = "request"
    agent: AgentLine | None = None
    action: str = "unknown"
    action_source: str = "catalog"
    pin: str = "match"
    code: Annotated[str, Meta(description="The public code of a refusal.")] = ""
    reasons: tuple[Reason, ...] = ()
    grounds: tuple[GroundLine, ...] = ()
    warnings: tuple[Reason, ...] = ()
    shadow: tuple[Reason, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    observe: bool = False
    decision_id: Annotated[str, Meta(description="Left out if it is the call id.")] = ""
    revision: Annotated[str, Meta(description="The policy that decided.")] = ""
    policy_micros: int = 0
    micros: Annotated[int, Meta(description="Microseconds from when the message was read until it was decided.")] = 0
    masking: Level = "masked"
    replayable: Annotated[bool, Meta(description="True if the whole question was recorded.")] = False
    arguments: ArgumentsLine = field(default_factory=ArgumentsLine)
    sender: Annotated[str, Meta(description="Key of the sender's `circumstances` in a `described` record.")] = ""
    definition: Annotated[str, Meta(description="First digits of the digest of the definition that was judged.")] = ""
    definition_status: str = ""
    retry: Retry | None = None
    items: tuple[Item, ...] = ()
    data: Annotated[tuple[str, ...], Meta(description="Classes of data of the target, as the catalog says.")] = ()
    reused: Annotated[str, Meta(description=RESERVED + "Call id of the decision that was used again.")] = ""
    purpose: Annotated[str, Meta(description=RESERVED + "Purpose that the policy found for the call.")] = ""
    declared_reason: Annotated[str, Meta(description=RESERVED + "Reason that the agent gave, unverified.")] = ""
    delegation: Annotated[
        tuple[str, ...], Meta(description=RESERVED + "On whose behalf the principal acts, the nearest first.")
    ] = ()
    approval: Annotated[ApprovalLine | None, Meta(description=RESERVED + "The approval that let the call pass.")] = None
    signals: Annotated[tuple[str, ...], Meta(description=RESERVED + "Signals of detectors about the call.")] = ()
    data_subjects: Annotated[
        tuple[str, ...], Meta(description=RESERVED + "Keyed digests of the people whom the call is about.")
    ] = ()


class CompletedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="completed"):
    """What became of a forwarded message; the fields mean what they mean in `gateway.admission.record`."""

    call_id: str
    time: str
    outcome: str
    request_id: str = ""
    status: int = 0
    bytes: int = 0
    events: int = 1
    micros: int = 0
    upstream_micros: int = 0
    hidden: int = 0
    unread: bool = False
    withheld: int = 0
    detail: str = ""
    removed_instructions: str = ""
    result: ResultLine | None = None


class CircumstancesLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the messages of one sender have in common, and the stops that were known."""

    method: Annotated[str, Meta(description="How the principal was verified.")] = ""
    issuer: str | None = None
    client_id: str | None = None
    groups: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    unknown: Annotated[
        tuple[ClaimField, ...],
        Meta(description="Fields whose claims could not be read."),
    ] = ()
    claims: dict[str, Any] = field(default_factory=dict[str, Any])
    delegation: tuple[str, ...] = ()
    credential_sha256: str | None = None
    client: Client = field(default_factory=Client)
    protocol: str = ""
    era: str = ""
    session: Annotated[str, Meta(description="Digest of the session; `mcp-admission stop --session` takes it.")] = ""
    gateway: Gateway | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    emergency: Annotated[str, Meta(description="Revision of the stops that the decision knew.")] = ""


class ServerLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The server, as the catalog has it."""

    id: str
    trust: str = ""
    credential: Annotated[str, Meta(description="Name of the upstream credential of messages that pass.")] = ""


class DefinitionLine(Struct, frozen=True, kw_only=True):
    """A definition that a server presented, as digests."""

    sha256: str
    parts: dict[str, str]
    annotations: dict[str, Any]


class DescribedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="described"):
    """What `decided` records after it only name; again in each file, and for those of a quarter of an hour later."""

    time: str
    sender: Annotated[str, Meta(description="Key of the circumstances.")] = ""
    circumstances: CircumstancesLine | None = None
    definition: DefinitionLine | None = None
    revision: Annotated[str, Meta(description="The policy whose agent, server and rules these are.")] = ""
    agent: ResolvedAgent | None = None
    server: ServerLine | None = None
    grounds: tuple[Ground, ...] = ()


class RefusedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="refused"):
    """A message was refused without a decision: malformed, unauthenticated, of no known method."""

    call_id: str
    time: str
    code: str
    source_ip: str
    request_id: str = ""
    unverified: tuple[str, ...] = ()
    server: str = ""
    method: str = ""
    detail: str = ""
    status: int = 0
    bytes: int = 0
    digest: str = ""
    principal: Annotated[Caller | None, Meta(description="Whole: no `described` record tells more of it.")] = None
    count: int = 1


class CountedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="counted"):
    """Messages recorded by count: how many of one method on one server since `since`."""

    time: str
    since: str
    server: str
    method: str
    count: int
    direction: str = "client"


class PolicyLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="policy"):
    """What happened to the policy or to the stops as a whole."""

    time: str
    event: str
    code: str = ""
    revision: str = ""
    detail: str = ""


class VoidedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="voided"):
    """The writer could not make its sequences `first` to `last` durable: what stands there had no effect."""

    time: str
    first: int
    last: int
    detail: str
    lost: int = 0


RecordLine = DecidedLine | CompletedLine | DescribedLine | RefusedLine | CountedLine | PolicyLine | VoidedLine
