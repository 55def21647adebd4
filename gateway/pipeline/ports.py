"""The interfaces of the pipeline to the outside, as Protocols. The adapters in the packages above implement them.

Rule 1: a port returns failures as values. The pipeline does not have to catch foreign exceptions.
Rule 2: values that cross a port are defined here or in `admission`, never in an adapter.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

from gateway.admission.action import Forward
from gateway.admission.decision import ListingVerdict, PolicyFailure, Verdict
from gateway.admission.policy_input import Definition, PolicyInput, Target
from gateway.admission.principal import Principal
from gateway.admission.record import Completed, Counted, Decided, JournalFailure, Receipt, Refused
from gateway.admission.refusal import Stage
from gateway.admission.schema_check_findings import Findings
from gateway.protocol.headers import Parameter
from gateway.protocol.ownership_exchange import Claim, Held

Media = Literal["json", "sse", "empty", "charset", "other"]
"""The kind of a body according to its headers. `charset` is JSON or an event stream in an encoding other than UTF-8."""


class UpstreamFailure(Struct, frozen=True, kw_only=True):
    """A failure of the upstream to give a usable reply. `detail` is safe to show, `code` is the public reason code.

    `stage` is how far the request got. It stays `unknown` if the adapter does not know.
    """

    code: Literal[
        "upstream_unavailable",
        "upstream_timeout",
        "upstream_broken",
        "result_too_large",
        "unread_input_request",
        "credential_missing",
    ]
    detail: str
    stage: Stage = "unknown"


class Reply(Protocol):
    """An upstream's reply whose head has arrived. The body is read only as it is consumed."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def media(self) -> Media: ...
    async def read(self, limit: int) -> bytes | UpstreamFailure: ...
    def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]: ...
    async def close(self, *, drain: bool) -> None: ...
    async def finish(self) -> None: ...


class Upstream(Protocol):
    """Client of the upstreams. It sends only what a permit covers."""

    async def send(self, forward: Forward) -> Reply | UpstreamFailure: ...


class Floods(Protocol):
    """Counter of refused callers, so that a flood of them produces few records."""

    def first(
        self, source_ip: str, server: str, cause: str, unix_ns: int, *, caller: Principal | None = None
    ) -> bool: ...


class Peers(Protocol):
    """The other workers of this gateway."""

    async def held(self, claim: Claim) -> Held | None:
        """Return what the other workers hold together, or null if one of them did not answer in time."""
        ...


class NoPeers:
    """The peers of a single worker."""

    async def held(self, claim: Claim) -> Held | None:
        """Return that no other worker holds anything."""
        return Held(texts=("",) * len(claim.names))


class PolicyEngine(Protocol):
    """The OPA sidecar."""

    @property
    def standing(self) -> str: ...
    async def decide(self, question: PolicyInput) -> Verdict | PolicyFailure: ...
    async def revise(self, question: PolicyInput) -> Verdict | PolicyFailure: ...
    async def listing(self, question: PolicyInput) -> ListingVerdict | PolicyFailure: ...


class Journal(Protocol):
    """Durable records before effects."""

    async def decided(self, record: Decided) -> Receipt | JournalFailure: ...
    async def refused(self, record: Refused) -> Receipt | JournalFailure: ...
    def completed(self, record: Completed) -> None: ...
    def counted(self, record: Counted) -> None: ...


class ViewKey(Struct, frozen=True, kw_only=True):
    """The key of one presentation of a server: what it shows to one credential at one protocol revision."""

    server: str
    credential: str
    """Address and name of the upstream credential, with the subject if it is per principal."""
    revision: str
    session: str = ""
    """Digest of the session. The cache uses it only if a server's listings vary by session."""


class Presented(Protocol):
    """The definition of one target as a server presents it."""

    @property
    def definition(self) -> Definition: ...
    @property
    def words(self) -> Mapping[str, Any]: ...
    @property
    def uri(self) -> str: ...
    @property
    def parameters(self) -> tuple[Parameter, ...]: ...
    def findings(self, arguments: Mapping[str, Any], size: int) -> Findings: ...
    def output_fault(self, result: Mapping[str, Any], size: int) -> str: ...
    def folded_key(self, arguments: Mapping[str, Any]) -> str | None: ...


class ListTicket(Struct, frozen=True, kw_only=True):
    """The time of a list request: a listing counts only if no news of the server arrived since."""

    generation: tuple[int, int]
    """The news of the server's list that this worker and the others had reported by then."""
    order: int
    """Of two listings of a view, the one that was requested later counts."""


Learned = Literal["learned", "truncated", "stale", "too_large"]
"""The result of a listing: stored, stored without its last names, outdated by newer data, or too large to store."""


class ListingDraft(Protocol):
    """A listing whose pages are being read. Leaving it as a context manager discards what was not stored."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def add(self, items: list[Any]) -> None: ...
    def presented(self, name: str) -> Presented | None: ...
    def keep(self, cursor: str) -> None: ...
    def learn(self) -> Learned: ...


class PresentationCache(Protocol):
    """The cache of presentations."""

    def seen(self, view: ViewKey, target: Target) -> Presented | None: ...
    def ambiguous(self, view: ViewKey, target: Target) -> bool: ...
    def fresh(self, view: ViewKey, method: str) -> bool: ...
    def generation(self, server: str, method: str) -> tuple[int, int]: ...
    def ticket(self, server: str, method: str) -> ListTicket: ...
    def draft(self, view: ViewKey, method: str, ticket: ListTicket | None, cursor: str = "") -> ListingDraft: ...
    def forget(self, server: str, method: str) -> None: ...
    def notify(self) -> None: ...


class Counters(Protocol):
    """Counters that each worker increments and all workers read, so that news reaches every worker."""

    def increment(self, name: str) -> None: ...
    def others(self, name: str) -> int: ...


class Moment(Struct, frozen=True, kw_only=True):
    """One reading of the clocks: wall time and monotonic time, both in nanoseconds."""

    unix_ns: int
    monotonic_ns: int


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> Moment: ...


class Ids(Protocol):
    """The only source of identifiers and nonces."""

    def call_id(self) -> str: ...
    def nonce(self) -> bytes: ...
