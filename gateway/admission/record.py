"""The journal's records, as values: `decided`, `completed`, `refused`, `counted`, `policy` (DESIGN section 8).

Rule 1: a call has two records under one `call_id`; `decided` is durable before a forward or a refusal.
Rule 2: a message without a decision is `refused`; a message too minor for its own record is `counted`.
Rule 3: all client text passes `masking` before it is in a record.
Rule 4: a record here is complete; `gateway.journal` writes it without repeating values.

The writer adds `schema`, `at` (wall time in nanoseconds, never decreasing within a writer), `writer` and `sequence`.
The names `previous`, `chain`, `checkpoint` and `sealed` are reserved for a hash chain, signed checkpoints and
encryption per subject.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct, field

from gateway.admission.correlation import Correlation
from gateway.admission.decision import Ground, Obligation, Reason, ResolvedAgent
from gateway.admission.policy_input import Client, Kind, Phase, PolicyInput, SchemaCheck, Target
from gateway.admission.record_masking import Level

SCHEMA: Final = "mcp.record/v2"
_SCHEMA: Final = SCHEMA.encode()
Outcome = Literal["allow", "hold", "deny"]
_NS: Final = 1_000_000_000
_NO_IDS: Final = Correlation()


class Receipt(Struct, frozen=True, kw_only=True):
    """Proof that a record is in the journal at the configured durability; only the journal makes one."""

    writer: str
    sequence: int


class JournalFailure(Struct, frozen=True, kw_only=True):
    """The journal could not accept the record, so the message is denied as `journal_unavailable`."""

    detail: str


class Occasion(Struct, frozen=True, kw_only=True):
    """Id and time of the call: wall and monotonic time in nanoseconds; `micros` since the message was read."""

    call_id: str
    unix_ns: int
    monotonic_ns: int
    micros: int = 0
    keyed: str = ""
    """The keyed digest of the arguments, if it was already computed."""
    correlation: Correlation = _NO_IDS


class Enforced(Struct, frozen=True, kw_only=True):
    """The enforcement of an answer; `code` is the public code of a refusal, empty for an allow."""

    outcome: Outcome
    code: str = ""
    reasons: tuple[Reason, ...] = ()


class Caller(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The principal, without claims."""

    kind: str
    method: str
    issuer: str | None = None
    subject: str | None = None
    client_id: str | None = None
    groups: tuple[str, ...] = ()
    delegation: tuple[str, ...] = ()
    credential_sha256: str | None = None


class Arguments(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Measures of the arguments; `digest` is keyed: HMAC-SHA-256 over their RFC 8785 JSON, unmasked."""

    bytes: int = 0
    depth: int = 0
    schema: SchemaCheck = "none"
    digest: str = ""
    unchecked: tuple[str, ...] = ()
    """Keywords of the presented schema that were not checked, as JSON pointers into it."""


class Decided(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="decided"):
    """A message was decided; written before the decision has any effect."""

    call_id: str
    time: str
    unix_ns: int
    monotonic_ns: int
    outcome: Outcome
    replayable: bool
    masking: Level
    method: str
    phase: Phase
    server: str
    """The server named in the path; its catalog entry is in `trust`."""
    target: Target
    principal: Caller
    source_ip: str
    action: str = "unknown"
    action_source: str = "default"
    pin: str = "unseen"
    agent: ResolvedAgent | None = None
    trust: str = ""
    code: str = ""
    """The public code of a refusal."""
    rule: str = ""
    """The first of the grounds, for readers that show only one rule."""
    requirement: str = ""
    """The first of the reasons."""
    reasons: tuple[Reason, ...] = ()
    grounds: tuple[Ground, ...] = ()
    warnings: tuple[Reason, ...] = ()
    shadow: tuple[Reason, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    observe: bool = False
    decision_id: str = ""
    revision: str = ""
    emergency: str = ""
    """Revision of the stops that the decision used."""
    credential: str = ""
    """Name of the upstream credential of an allow."""
    policy_micros: int = 0
    micros: int = 0
    client: Client = field(default_factory=Client)
    message_kind: Kind = "request"
    protocol: str = ""
    era: str = ""
    arguments: Arguments = field(default_factory=Arguments)
    session: str = ""
    """Digest of the session that the client presented; `mcp-admission stop --session` takes it."""
    definition: str = ""
    """Digest of the definition that was judged; empty if none was seen."""
    definition_status: str = ""
    """`not_listed` or `listing_failed` if the definition was not seen for that reason; empty otherwise."""
    input: PolicyInput | None = None
    correlation: Correlation = _NO_IDS
    data: tuple[str, ...] = ()
    """Data classes of the target, as the catalog states them."""
    sealed: str = ""
    """The arguments, encrypted to an auditor's key; empty unless the catalog requires that."""


class Result(Struct, frozen=True, kw_only=True):
    """The result as the client received it: keyed digest of the response's bytes, type, and number of its items."""

    digest: str
    type: str = ""
    items: int = 0


class Completed(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="completed"):
    """The outcome of a forwarded message; `micros` since it was read, `upstream_micros` until the head of the reply."""

    call_id: str
    unix_ns: int
    monotonic_ns: int
    outcome: str
    """`answered`, `error` (JSON-RPC), `tool_error`, `client_gone`, `cancelled`, `closed` (a stream refused later),
    `stopped` (a call that policy ended after it was sent; `detail` has the reason), `not_forwarded` (the client left
    before the allow arrived), `internal_failure`, or the code of an upstream failure."""
    status: int = 0
    bytes: int = 0
    events: int = 0
    micros: int = 0
    upstream_micros: int = 0
    hidden: int = 0
    """Items of a list that policy hides from the client."""
    unread: bool = False
    """True if a large result was relayed without being read."""
    withheld: int = 0
    """Server messages that are not valid messages for this client; `detail` has the first reason."""
    detail: str = ""
    removed_instructions: str = ""
    """Digest of the server's instructions that were removed because they are not the pinned ones; empty if none
    were."""
    request_id: str = ""
    result: Result | None = None
    """The result that the client received; null if it received none."""


class Refused(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="refused"):
    """A message was refused without a decision: malformed, unauthenticated, or of an unknown method."""

    call_id: str
    time: str
    unix_ns: int
    monotonic_ns: int
    code: str
    source_ip: str
    server: str = ""
    method: str = ""
    detail: str = ""
    status: int = 0
    bytes: int = 0
    digest: str = ""
    """Keyed digest of the refused bytes."""
    principal: Caller | None = None
    """The sender of the message, if its credential was valid."""
    count: int = 1
    """Number of further equal refusals from the same source in the same second that this record represents."""
    correlation: Correlation = _NO_IDS


class Counted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="counted"):
    """Messages that are only counted: number of messages of one method on one server since `since_ns`."""

    unix_ns: int
    since_ns: int
    server: str
    method: str
    count: int
    direction: str = "client"


class Policy(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="policy"):
    """An event of the policy or of the stops as a whole, independent of any caller."""

    time: str
    unix_ns: int
    event: str
    """Event name such as `followed`, `rejected`, `stale`, `stopped`, as in the gateway's log."""
    code: str = ""
    """Reason for the rejection of a bundle, as in refusals."""
    revision: str = ""
    """The revision of the event."""
    detail: str = ""


class Voided(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="voided"):
    """The writer could not make its sequences `first` to `last` durable: records in this range had no effect."""

    unix_ns: int
    first: int
    last: int
    detail: str
    lost: int = 0
    """Completions that had to be dropped before there was room again."""


Record = Decided | Completed | Refused | Counted | Policy | Voided


def place(encoded: bytes, *, at: int, writer: str, sequence: int) -> bytes:
    """Return an encoded record as one line of the journal, with the position from its writer."""
    head = b'{"schema":"%s","at":%d,"writer":"%s","sequence":%d,' % (_SCHEMA, at, writer.encode(), sequence)
    return head + encoded[1:] + b"\n"


def rfc3339(unix_ns: int) -> str:
    """Return a wall time in readable form, in UTC with microseconds."""
    return f"{_second(unix_ns // _NS)}.{unix_ns % _NS // 1000:06}Z"


def rfc3339_ns(unix_ns: int) -> str:
    """Return a wall time in UTC with nanoseconds."""
    return f"{_second(unix_ns // _NS)}.{unix_ns % _NS:09}Z"


def unix_ns_of(time: str) -> int:
    """Return the nanoseconds since 1970 of a time that `rfc3339` or `rfc3339_ns` wrote; raise ValueError for others."""
    second, _, fraction = time.removesuffix("Z").partition(".")
    instant = datetime.fromisoformat(f"{second}+00:00")
    return int(instant.timestamp()) * _NS + int(fraction.ljust(9, "0"))


@lru_cache(maxsize=8)
def _second(unix_s: int) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%S}"
