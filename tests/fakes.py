"""Ports of the pipeline as plain objects: scripted, and remembering what they were asked.

Rule 1: a fake decides nothing by itself; what it answers stands in the test.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self

import orjson
from msgspec import Struct, field

from gateway.admission.action import Forward
from gateway.admission.decision import (
    Credential,
    Decision,
    Ground,
    ListedItem,
    Listing,
    ListingVerdict,
    PolicyFailure,
    Reason,
    Resolved,
    ResolvedAgent,
    ResolvedServer,
    Route,
    Verdict,
)
from gateway.admission.policy_input import Definition, Gateway, PolicyInput, SchemaCheck, Target
from gateway.admission.principal import Principal, Verified
from gateway.admission.record import Completed, Counted, Decided, JournalFailure, Receipt, Refused
from gateway.admission.record_masking import Masking
from gateway.admission.refusal import Wording
from gateway.admission.refused_definition import RefusedDefinition
from gateway.admission.schema_check_findings import Findings
from gateway.pipeline import Pipeline
from gateway.pipeline.discovery_limits import DiscoveryLimits
from gateway.pipeline.engine import Dependencies
from gateway.pipeline.item_verdicts import Listings, ListLimits
from gateway.pipeline.ports import (
    Learned,
    ListTicket,
    Media,
    Moment,
    NoPeers,
    Peers,
    PresentationCache,
    Upstream,
    UpstreamFailure,
    ViewKey,
)
from gateway.protocol.headers import Parameter
from gateway.protocol.sealing import Ring
from gateway.server import UnverifiedCaller

REVISION = "test@0123456789ab.1"
ROUTE = Route(url="http://upstream.test/mcp", credential=Credential(name="shared", per="shared"))
CALLER = Principal(kind="service", method="token", credential_sha256="ab" * 32)


def allow(route: Route = ROUTE, agent: str = "bot") -> Decision:
    """Return an allow that enforcement accepts."""
    resolved = Resolved(agent=ResolvedAgent(id=agent), server=ResolvedServer(id="s", trust="low"), action="read")
    return Decision(
        schema="mcp.decision/v1",
        outcome="allow",
        reasons=[],
        grounds=[Ground(rule="r", effect="allow")],
        resolved=resolved,
        route=route,
    )


def deny(*requirements: str) -> Decision:
    """Return a denial with these reasons."""
    reasons = [Reason(requirement=name, message=f"{name} is not met") for name in requirements or ("rules_permit",)]
    return Decision(schema="mcp.decision/v1", outcome="deny", reasons=reasons, grounds=[], resolved=Resolved())


class FakePolicy:
    """Answers questions by a function of the test; lists everything unless told what to hide."""

    def __init__(self, answer: Callable[[PolicyInput], Decision | PolicyFailure]) -> None:
        self.answer: Callable[[PolicyInput], Decision | PolicyFailure] = answer
        self.hidden: set[str] = set()
        self.hides_for: list[str] = []
        """The requirements that hide what is hidden."""
        self.broken: set[str] = set()
        self.questions: list[PolicyInput] = []
        self.listings: list[PolicyInput] = []
        self.revised: list[PolicyInput] = []
        self.revision = REVISION

    @property
    def standing(self) -> str:
        return self.revision

    async def decide(self, question: PolicyInput) -> Verdict | PolicyFailure:
        self.questions.append(question)
        answer = self.answer(question)
        if isinstance(answer, PolicyFailure):
            return answer
        return Verdict(decision=answer, revision=self.revision, decision_id="d1", micros=1)

    async def revise(self, question: PolicyInput) -> Verdict | PolicyFailure:
        self.revised.append(question)
        return await self.decide(question)

    async def listing(self, question: PolicyInput) -> ListingVerdict | PolicyFailure:
        self.listings.append(question)
        names = [item.target.name or item.target.uri or "" for item in question.items]
        if self.broken & set(names):
            return PolicyFailure(code="policy_error", detail="broken", revision=self.revision)
        hidden = ListedItem(listed=False, refused_by=self.hides_for)
        items = [hidden if name in self.hidden else ListedItem(listed=True) for name in names]
        return ListingVerdict(listing=Listing(schema="mcp.listing/v1", items=items), revision=self.revision, micros=1)


class FakeJournal:
    """Keeps records; `failure` makes it refuse them."""

    def __init__(self) -> None:
        self.records: list[Decided | Refused] = []
        self.completions: list[Completed] = []
        self.counts: list[Counted] = []
        self.failure: JournalFailure | None = None

    async def decided(self, record: Decided) -> Receipt | JournalFailure:
        return self._kept(record)

    async def refused(self, record: Refused) -> Receipt | JournalFailure:
        return self._kept(record)

    def completed(self, record: Completed) -> None:
        self.completions.append(record)

    def counted(self, record: Counted) -> None:
        self.counts.append(record)

    def _kept(self, record: Decided | Refused) -> Receipt | JournalFailure:
        if self.failure is not None:
            return self.failure
        self.records.append(record)
        return Receipt(writer="w", sequence=len(self.records))


class FakeReply:
    """A reply made of pieces."""

    def __init__(
        self,
        *pieces: bytes,
        status: int = 200,
        media: Media = "json",
        headers: tuple[tuple[str, str], ...] = (),
        failure: UpstreamFailure | None = None,
    ) -> None:
        self.pieces = pieces
        self.status = status
        self.media: Media = media
        self.headers = headers
        self.failure = failure
        self.closed = False

    async def read(self, limit: int) -> bytes | UpstreamFailure:
        if self.failure is not None:
            return self.failure
        body = b"".join(self.pieces)
        if len(body) > limit:
            return UpstreamFailure(code="result_too_large", detail="too large")
        return body

    async def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]:
        for piece in self.pieces:
            yield piece
        if self.failure is not None:
            yield self.failure

    async def close(self, *, drain: bool) -> None:
        del drain
        self.closed = True

    async def finish(self) -> None:
        self.closed = True


class FakeUpstream:
    """Answers forwards by a function of the test and remembers them."""

    def __init__(self, answer: Callable[[dict[str, Any]], FakeReply | UpstreamFailure]) -> None:
        self.answer = answer
        self.forwards: list[Forward] = []

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was sent, as JSON."""
        return [orjson.loads(forward.permit.outbound.body or b"{}") for forward in self.forwards]

    async def send(self, forward: Forward) -> FakeReply | UpstreamFailure:
        self.forwards.append(forward)
        return self.answer(orjson.loads(forward.permit.outbound.body or b"{}"))


class FakePresented(Struct):
    """A presentation that finds every argument right, unless told otherwise."""

    definition: Definition = field(default_factory=lambda: Definition(sha256="00" * 32, parts={}, annotations={}))
    parameters: tuple[Parameter, ...] = ()
    schema: SchemaCheck = "match"
    folded: str | None = None
    unfit: str = "unfit"
    uri: str = ""
    words: dict[str, Any] = field(default_factory=dict[str, Any])

    def findings(self, arguments: Mapping[str, Any], size: int) -> Findings:
        del arguments, size
        return Findings(schema=self.schema)

    def output_fault(self, result: Mapping[str, Any], size: int) -> str:
        del size
        return "it does not fit" if result.get("structuredContent") == self.unfit else ""

    def folded_key(self, arguments: Mapping[str, Any]) -> str | None:
        del arguments
        return self.folded


class FakeDefinitions:
    """Knows every target, or only those that were learned when `blank`."""

    def __init__(self, *, blank: bool = False) -> None:
        self.blank = blank
        self.presented = FakePresented()
        self.learned: list[tuple[ViewKey, str]] = []
        self.forgotten: list[tuple[str, str]] = []

    def seen(self, view: ViewKey, target: Target) -> FakePresented | None:
        del target
        known = not self.blank or any(key == view for key, _ in self.learned)
        return self.presented if known else None

    def fresh(self, view: ViewKey, method: str) -> bool:
        return (view, method) in self.learned

    def ambiguous(self, view: ViewKey, target: Target) -> bool:
        del view, target
        return False

    def notify(self) -> None:
        return None

    def generation(self, server: str, method: str) -> tuple[int, int]:
        del server, method
        return 0, len(self.forgotten)

    def ticket(self, server: str, method: str) -> ListTicket:
        return ListTicket(generation=self.generation(server, method), order=1)

    def draft(self, view: ViewKey, method: str, ticket: ListTicket | None, cursor: str = "") -> "FakeDraft":
        del cursor
        return FakeDraft(self, view, method, ticket)

    def forget(self, server: str, method: str) -> None:
        self.forgotten.append((server, method))


class FakeDraft:
    """A listing that presents what its definitions present."""

    def __init__(self, definitions: FakeDefinitions, view: ViewKey, method: str, ticket: ListTicket | None) -> None:
        self._definitions = definitions
        self._learned = (view, method)
        self._ticket = ticket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def add(self, items: list[Any]) -> None:
        del items

    def presented(self, name: str) -> FakePresented | None:
        del name
        return self._definitions.presented

    def keep(self, cursor: str) -> None:
        del cursor

    def learn(self) -> Learned:
        if self._ticket is None:
            return "stale"
        self._definitions.learned.append(self._learned)
        return "learned"


class FakeFloods:
    """Finds every refused caller the first of its kind, unless told otherwise."""

    def __init__(self) -> None:
        self.known = False

    def first(self, source_ip: str, server: str, cause: str, unix_ns: int, *, caller: Principal | None = None) -> bool:
        del source_ip, server, cause, unix_ns, caller
        return not self.known


class FakeClock:
    """Stands still."""

    def now(self) -> Moment:
        return Moment(unix_ns=1_800_000_000_000_000_000, monotonic_ns=1)


class FakeIds:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def call_id(self) -> str:
        self.count += 1
        return f"{self.count:032x}"

    def nonce(self) -> bytes:
        self.count += 1
        return self.count.to_bytes(12, "big")


class FakeCallers:
    """Everybody is `CALLER`, unless told otherwise."""

    def __init__(self) -> None:
        self.outcome: Principal | UnverifiedCaller = CALLER
        self.until: float | None = None

    async def verify(
        self, headers: object, *, server: str, query: bytes, source_ip: str
    ) -> Verified | UnverifiedCaller:
        del headers, server, query, source_ip
        known = self.outcome
        return known if isinstance(known, UnverifiedCaller) else Verified(principal=known, until=self.until)

    def unknown(self, server: str, *, source_ip: str) -> UnverifiedCaller:
        del server, source_ip
        return UnverifiedCaller(cause="token_unknown", reason="unknown", status=401, challenge="Bearer")


class FakeMeters:
    """Counts calls by schemas that are not checked whole, and changed instructions."""

    def __init__(self) -> None:
        self.unchecked_calls: list[str] = []
        self.changed: list[str] = []
        self.refusals: list[tuple[str, str, str]] = []
        self.definitions: list[RefusedDefinition] = []

    def refused(self, code: str, *, detail: str, server: str = "") -> None:
        self.refusals.append((code, detail, server))

    def drifted(self, refused: RefusedDefinition) -> None:
        self.refusals.append(("drifted", refused.target, refused.server))
        self.definitions.append(refused)

    def decided(
        self, *, outcome: str, requirement: str, policy_micros: int, added_micros: int, server: str = ""
    ) -> None: ...
    def upstream(self, outcome: str) -> None: ...
    def withheld(self, server: str, count: int) -> None: ...
    def malformed(self, fault: str) -> None: ...
    def streams(self, count: int) -> None: ...

    def unchecked(self, server: str) -> None:
        self.unchecked_calls.append(server)

    def changed_instructions(self, removed: RefusedDefinition) -> None:
        self.changed.append(removed.server)
        self.definitions.append(removed)


class World:
    """A pipeline over fakes."""

    def __init__(
        self,
        answer: Callable[[PolicyInput], Decision | PolicyFailure] = lambda _: allow(),
        upstream: Callable[[dict[str, Any]], FakeReply | UpstreamFailure] = lambda _: FakeReply(b""),
        *,
        blank: bool = False,
        several_issuers: bool = False,
        peers: Peers | None = None,
        definitions: PresentationCache | None = None,
        sender: Upstream | None = None,
        looks: DiscoveryLimits | None = None,
        result_bytes: int = 10_000,
    ) -> None:
        self.several_issuers = several_issuers
        self.peers = peers or NoPeers()
        self.policy = FakePolicy(answer)
        self.journal = FakeJournal()
        self.upstream = FakeUpstream(upstream)
        self.definitions = FakeDefinitions(blank=blank)
        self._real = definitions
        self._sender = sender
        self._looks = looks or DiscoveryLimits()
        self._result_bytes = result_bytes
        self.callers = FakeCallers()
        self.drifted: list[RefusedDefinition] = []
        self.floods = FakeFloods()
        self.ring = Ring(b"k" * 64)
        self.pipeline = Pipeline(self._parts(), ttl_cap_ms=1000)

    def _parts(self) -> Dependencies:
        return Dependencies(
            policy=self.policy,
            journal=self.journal,
            upstream=self._sender or self.upstream,
            definitions=self._real or self.definitions,
            listings=Listings(self.policy, ListLimits(chunk=4, entries=8), self.drifted.append),
            floods=self.floods,
            clock=FakeClock(),
            ids=FakeIds(),
            ring=self.ring,
            gateway=Gateway(id="g", version="1"),
            wording=Wording(),
            masking=Masking(level="masked", key=b"k" * 32),
            looks=self._looks,
            result_bytes=self._result_bytes,
            arguments_bytes=5_000,
            several_issuers=self.several_issuers,
            peers=self.peers,
        )
