"""The actions that enforcement returns, as values: forward, answer, or withhold.

Rule 1: only `permit` makes a `Permit`, from an `Admit` and the journal's receipt. Without a record nothing is
forwarded.
Rule 2: only enforcement makes an `Admit`, from a decision with outcome `allow`.
Rule 3: actions are interpreted in exactly one place, `gateway.server`.
"""

from typing import Final, Literal

from msgspec import Struct

from gateway.admission.decision import Route
from gateway.admission.instructions import RemovedInstructions
from gateway.admission.record import Receipt
from gateway.admission.result_type import ResultType

_MINT: Final = object()


class Outbound(Struct, frozen=True, kw_only=True):
    """The request for the upstream: the bytes that were judged, and the headers that may be forwarded."""

    verb: Literal["POST", "GET", "DELETE"]
    server: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    subject: str = ""
    """File name of the principal's own credential below the server's name; empty if there is none."""
    request_id: str | int | None = None
    era: Literal["modern", "legacy"] = "legacy"
    repeatable: bool = False
    """True for the gateway's own list request, which may be sent twice; false for everything that a client sent."""


class Permit:
    """The value that allows bytes to go upstream. It cannot be made outside this module."""

    __slots__ = ("outbound", "receipt", "route")

    def __init__(self, *, route: Route, outbound: Outbound, receipt: Receipt, mint: object) -> None:
        """Store the three parts. Any mint other than this module's own is a programming error."""
        if mint is not _MINT:
            message = "only gateway.admission.action.permit may make a permit"
            raise TypeError(message)
        self.route: Final = route
        self.outbound: Final = outbound
        self.receipt: Final = receipt


class Admit(Struct, frozen=True, kw_only=True):
    """An allow that is not recorded yet."""

    route: Route
    outbound: Outbound


class Forward(Struct, frozen=True):
    """Send the request of the permit, and relay the reply."""

    permit: Permit


class Answer(Struct, frozen=True, kw_only=True):
    """Answer the client; nothing goes upstream."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    code: str = ""
    """The public code of the refusal in this answer; empty if the answer is the upstream's."""
    final: bool = False
    """True if this answers the open request, which ends the upstream's reply."""
    removed_instructions: RemovedInstructions | None = None
    """The server's instructions that were removed because they are not the pinned ones; null if none were."""
    result: ResultType | None = None
    """The type of the result in this answer; null if it has no result."""
    hidden: int = 0
    """Items of a list that policy hides from the client."""


class Withhold(Struct, frozen=True):
    """Drop the message: the client gets 202, and the upstream gets nothing."""

    detail: str = ""
    """Reason to drop a server's message that does not belong on this channel; empty if policy hides it."""


Action = Forward | Answer | Withhold


def permit(admit: Admit, receipt: Receipt) -> Forward:
    """Return the permit for an admitted message whose record is in the journal."""
    return Forward(Permit(route=admit.route, outbound=admit.outbound, receipt=receipt, mint=_MINT))


def again(held: Permit, outbound: Outbound) -> Forward:
    """Return the permit for a message that the method table allows on an earlier permit of its sender.

    Used for `ping`, for the notifications that need no decision, and for the gateway's refusals of a server's request.
    """
    if outbound.server != held.outbound.server:
        message = "a permit is valid for its own server only"
        raise ValueError(message)
    return Forward(Permit(route=held.route, outbound=outbound, receipt=held.receipt, mint=_MINT))
