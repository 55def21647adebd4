"""The lines of the journal, `mcp.record/v2`: one type per kind; `record.schema.json` is generated from these types.

Rule 1: a record does not repeat the content of a `described` record or of the bundle of its `revision`. A decision has
the sender (`principal`, `agent`), the message (`method`, `server`, `target`), the outcome, the rules with their owners,
and the revision.
Rule 2: an omitted field has its default, or is not known; `record.schema.json` states the defaults.
Rule 3: every record has `time` (RFC 3339). Its writer adds `schema`, `at` (nanoseconds since 1970, never decreasing
within a writer), `writer` and `sequence`.
Rule 4: fields that are reserved for later are in the schema, so that readers can rely on their names and types.
"""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from gateway.admission.decision import Ground, Obligation, Reason, ResolvedAgent
from gateway.admission.policy_input import ArgumentError, Client, Gateway, Item, Kind, Phase, Retry, SchemaCheck
from gateway.admission.principal import ClaimField
from gateway.admission.record import Caller, Outcome
from gateway.admission.record_masking import Level

RESERVED: Final = "Reserved: no gateway writes it yet. "


class TargetLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The target of the message."""

    type: Annotated[str, Meta(description="Omitted if the method implies it.")] = ""
    name: str | None = None
    uri: str | None = None
    written: str | None = None


class PrincipalLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sender of the message; the rest of the credential is in the `circumstances`."""

    kind: str
    subject: str | None = None
    client_id: Annotated[str | None, Meta(description="Client id of a principal without a subject.")] = None


class AgentLine(Struct, frozen=True, kw_only=True):
    """The registered agent; its owner, purpose and kind are in a `described` record."""

    id: str


class GroundLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that allowed or refused the message; its reason and expiry are in a `described` record."""

    rule: str
    owner: str = ""
    effect: str = "allow"


class ArgumentsLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Measures of the arguments, and the values that `journal.masking` and the catalog's `record` allow."""

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
        dict[str, Any] | None, Meta(description="The masked arguments; omitted if they are not recorded.")
    ] = None
    sha256: Annotated[str, Meta(description="Digest of arguments that were recorded completely.")] = ""
    sealed: Annotated[str, Meta(description="The arguments without secrets, encrypted with age, in base64.")] = ""


class ApprovalLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An approval by people."""

    id: str
    approvers: tuple[str, ...] = ()


class ResultLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result as the client received it."""

    digest: Annotated[
        str, Meta(description="HMAC-SHA-256 of the response's bytes: the first 128 bits, hexadecimal.")
    ] = ""
    type: Annotated[
        str,
        Meta(
            description="`error`, `list`, the one type of its content blocks (such as `text`), `mixed` for several "
            "types, `object` without content blocks, `unread` for a large result that the gateway did not read."
        ),
    ] = ""
    items: Annotated[int, Meta(description="Number of entries of a list, or of content blocks.")] = 0
    classes: Annotated[tuple[str, ...], Meta(description=RESERVED + "Classes of data in the result.")] = ()
    schema: Annotated[str, Meta(description=RESERVED + "Digest of the schema of the result.")] = ""


class DecidedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="decided"):
    """A decision about a message, written before it has any effect."""

    call_id: str
    time: Annotated[str, Meta(description="Time that the policy used, RFC 3339 with nanoseconds.")]
    outcome: Outcome
    method: str
    server: str
    principal: PrincipalLine
    source_ip: str
    request_id: Annotated[str, Meta(description="The `x-request-id` of the HTTP exchange.")] = ""
    trace_id: Annotated[str, Meta(description="W3C trace id from the client; unverified.")] = ""
    conversation: Annotated[str, Meta(description="Conversation id from the client; unverified.")] = ""
    unverified: Annotated[
        tuple[str, ...],
        Meta(description="Those of request_id, trace_id and conversation that come from the client."),
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
    decision_id: Annotated[str, Meta(description="Omitted if it is the call id.")] = ""
    revision: Annotated[str, Meta(description="Revision of the policy that decided.")] = ""
    policy_micros: int = 0
    micros: Annotated[int, Meta(description="Microseconds from reading the message to its decision.")] = 0
    masking: Level = "masked"
    replayable: Annotated[bool, Meta(description="True if the complete policy input was recorded.")] = False
    arguments: ArgumentsLine = field(default_factory=ArgumentsLine)
    sender: Annotated[str, Meta(description="Key of the sender's `circumstances` in a `described` record.")] = ""
    definition: Annotated[str, Meta(description="First digits of the digest of the definition that was used.")] = ""
    definition_status: str = ""
    retry: Retry | None = None
    items: tuple[Item, ...] = ()
    data: Annotated[tuple[str, ...], Meta(description="Classes of data of the target, from the catalog.")] = ()
    reused: Annotated[str, Meta(description=RESERVED + "Call id of the decision that was reused.")] = ""
    purpose: Annotated[str, Meta(description=RESERVED + "Purpose of the call, as determined by the policy.")] = ""
    declared_reason: Annotated[str, Meta(description=RESERVED + "Reason that the agent gave; unverified.")] = ""
    delegation: Annotated[
        tuple[str, ...], Meta(description=RESERVED + "Those on whose behalf the principal acts, nearest first.")
    ] = ()
    approval: Annotated[ApprovalLine | None, Meta(description=RESERVED + "Approval that permitted the call.")] = None
    signals: Annotated[tuple[str, ...], Meta(description=RESERVED + "Signals of detectors about the call.")] = ()
    data_subjects: Annotated[
        tuple[str, ...], Meta(description=RESERVED + "Keyed digests of the people that the call concerns.")
    ] = ()


class CompletedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="completed"):
    """The completion of a forwarded message; `gateway.admission.record` documents its fields."""

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
    """The common properties of the messages of one sender, and the stops in force."""

    method: Annotated[str, Meta(description="Method by which the principal was verified.")] = ""
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
    session: Annotated[str, Meta(description="Digest of the session, for `mcp-admission stop --session`.")] = ""
    gateway: Gateway | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    emergency: Annotated[str, Meta(description="Revision of the stops in force at the decision.")] = ""


class ServerLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The catalog's entry of the server."""

    id: str
    trust: str = ""
    credential: Annotated[str, Meta(description="Name of the upstream credential for allowed messages.")] = ""


class DefinitionLine(Struct, frozen=True, kw_only=True):
    """The digests of a definition that a server presented."""

    sha256: str
    parts: dict[str, str]
    annotations: dict[str, Any]


class DescribedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="described"):
    """Details that later `decided` records refer to; repeated in each file and at least every 15 minutes."""

    time: str
    sender: Annotated[str, Meta(description="Key of the circumstances.")] = ""
    circumstances: CircumstancesLine | None = None
    definition: DefinitionLine | None = None
    revision: Annotated[str, Meta(description="Revision of the policy with this agent, server and rules.")] = ""
    agent: ResolvedAgent | None = None
    server: ServerLine | None = None
    grounds: tuple[Ground, ...] = ()


class RefusedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="refused"):
    """A message that was refused without a decision: malformed, unauthenticated or of an unknown method."""

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
    principal: Annotated[Caller | None, Meta(description="Complete, without a `described` record.")] = None
    count: int = 1


class CountedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="counted"):
    """The number of messages of one method on one server since `since`, which are not recorded separately."""

    time: str
    since: str
    server: str
    method: str
    count: int
    direction: str = "client"


class PolicyLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="policy"):
    """An event of the policy or of the stops."""

    time: str
    event: str
    code: str = ""
    revision: str = ""
    detail: str = ""


class VoidedLine(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="voided"):
    """The sequences `first` to `last`, which the writer could not make durable: their records had no effect."""

    time: str
    first: int
    last: int
    detail: str
    lost: int = 0


RecordLine = DecidedLine | CompletedLine | DescribedLine | RefusedLine | CountedLine | PolicyLine | VoidedLine
