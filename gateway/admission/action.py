"""What enforcement wants done, as values: forward, answer, or withhold.

Rule 1: a `Permit` is made by `permit` alone, from an `Admit` and the journal's receipt: no record, no way upstream.
Rule 2: an `Admit` is made by enforcement alone, from a decision whose outcome is `allow`.
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
    """What would be sent to the upstream: the bytes that were judged, and the headers that may travel."""

    verb: Literal["POST", "GET", "DELETE"]
    server: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    subject: str = ""
    """File name of the principal's own credential below the server's name; empty where there is none."""
    request_id: str | int | None = None
    era: Literal["modern", "legacy"] = "legacy"
    repeatable: bool = False
    """Whether this is the gateway's own list request, which may be sent twice; false for all that a client sent."""


class Permit:
    """The value that lets bytes go upstream; it cannot be made outside this module."""

    __slots__ = ("outbound", "receipt", "route")

    def __init__(self, *, route: Route, outbound: Outbound, receipt: Receipt, mint: object) -> None:
        """Take the three parts; any other mint than this module's own is a programming error."""
        if mint is not _MINT:
            message = "a permit is made by gateway.admission.action.permit only"
            raise TypeError(message)
        self.route: Final = route
        self.outbound: Final = outbound
        self.receipt: Final = receipt


class Admit(Struct, frozen=True, kw_only=True):
    """An allow that is not recorded yet."""

    route: Route
    outbound: Outbound


class Forward(Struct, frozen=True):
    """Send what the permit covers, and relay the reply."""

    permit: Permit


class Answer(Struct, frozen=True, kw_only=True):
    """Answer the client; nothing goes upstream."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    code: str = ""
    """The public code of the refusal that this tells; empty for an answer of the upstream's."""
    final: bool = False
    """True if this answers the open request: the reply of the upstream is over with it."""
    removed_instructions: RemovedInstructions | None = None
    """The server's instructions that were removed, as they are not the pinned ones; null if none were."""
    result: ResultType | None = None
    """What the result is that this delivers; null if this delivers none."""
    hidden: int = 0
    """Items of a list that policy hides from the client."""


class Withhold(Struct, frozen=True):
    """Drop the message: the client gets 202, the upstream nothing."""

    detail: str = ""
    """Why a server's message is dropped, if it is not a message for this channel; empty if policy hides it."""


Action = Forward | Answer | Withhold


def permit(admit: Admit, receipt: Receipt) -> Forward:
    """Return the way upstream for an admitted message whose record is in the journal."""
    return Forward(Permit(route=admit.route, outbound=admit.outbound, receipt=receipt, mint=_MINT))


def again(held: Permit, outbound: Outbound) -> Forward:
    """Return the way upstream for a message that the method table lets pass on an earlier permit of its sender.

    Used for `ping` and the notifications that are not asked about, and for our own refusals of a server's request.
    """
    if outbound.server != held.outbound.server:
        message = "a permit holds for its own server only"
        raise ValueError(message)
    return Forward(Permit(route=held.route, outbound=outbound, receipt=held.receipt, mint=_MINT))
