"""What the pipeline needs of the world, as Protocols; the adapters above implement them.

Rule 1: a port returns failures as values; the pipeline has no foreign exception to catch.
Rule 2: values that cross a port are defined here or in `admission`, never in an adapter.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

from gateway.admission.action import Forward
from gateway.admission.argument_findings import Findings
from gateway.admission.decision import ListingVerdict, PolicyFailure, Verdict
from gateway.admission.policy_input import Definition, PolicyInput, Target
from gateway.admission.principal import Principal
from gateway.admission.record import Completed, Counted, Decided, JournalFailure, Receipt, Refused
from gateway.admission.refusal import Stage
from gateway.protocol.headers import Parameter
from gateway.protocol.ownership_claims import Claim, Held

Media = Literal["json", "sse", "empty", "charset", "other"]
"""What a body is by its headers; `charset` is JSON or an event stream in another encoding than UTF-8."""


class UpstreamFailure(Struct, frozen=True, kw_only=True):
    """The upstream gave no usable reply; `detail` is safe to show, `code` is the public reason code.

    `stage` says how far the request came; whoever does not know leaves it at `unknown`.
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
    """An upstream's reply whose head has arrived; the body is read only as it is consumed."""

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
    """Sends what a permit covers; nothing else can be sent."""

    async def send(self, forward: Forward) -> Reply | UpstreamFailure: ...


class Floods(Protocol):
    """Counts refused callers, so that a flood of them takes few records."""

    def first(
        self, source_ip: str, server: str, cause: str, unix_ns: int, *, caller: Principal | None = None
    ) -> bool: ...


class Peers(Protocol):
    """The other workers of this gateway."""

    async def held(self, claim: Claim) -> Held | None:
        """Return what they hold together; null if one of them did not answer in time."""
        ...


class NoPeers:
    """The peers of a worker that is the only one."""

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
    """Which presentation of a server: what it shows to one credential at one protocol revision."""

    server: str
    credential: str
    """Address and name of the upstream credential, and the subject where it is per principal."""
    revision: str
    session: str = ""
    """Digest of the session; used by the cache only where a server's listings vary by session."""


class Presented(Protocol):
    """What a server presents one target to be."""

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
    """When a list request was sent: a listing counts only if no news of the server came since."""

    generation: tuple[int, int]
    """What this worker and the others had reported of the server's list by then."""
    order: int
    """Of two listings of a view, the one that was asked for later counts."""


Learned = Literal["learned", "truncated", "stale", "too_large"]
"""What became of a listing: held, held without its last names, older than what is known by now, too large to hold."""


class ListingDraft(Protocol):
    """A listing whose pages are being read; leaving it as a context manager lets go of what is not held."""

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
    """Counters that each worker of a gateway raises for itself and reads of all: news that reaches every worker."""

    def increment(self, name: str) -> None: ...
    def others(self, name: str) -> int: ...


class Moment(Struct, frozen=True, kw_only=True):
    """One reading of the clocks: wall time and monotonic, both in nanoseconds."""

    unix_ns: int
    monotonic_ns: int


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> Moment: ...


class Ids(Protocol):
    """The only source of identifiers and nonces."""

    def call_id(self) -> str: ...
    def nonce(self) -> bytes: ...
