"""One message on its way: what is known of it once it was asked about.

Rule 1: a call is begun once, with its id and its times; every record of it carries that id.
"""

from msgspec import Struct

from gateway.admission.action import Action, Permit
from gateway.admission.decision import PolicyFailure, Verdict
from gateway.admission.inbound import Inbound
from gateway.admission.policy_input import PolicyInput
from gateway.admission.refusal import Refusal
from gateway.pipeline.listing_failures import ListingFailed
from gateway.pipeline.ports import ListTicket, Moment, Presented, ViewKey


class Call(Struct, frozen=True, kw_only=True):
    """A message with the question that was asked of it and the answer that came."""

    call_id: str
    inbound: Inbound
    begun: Moment
    question: PolicyInput
    answer: Verdict | PolicyFailure | None = None
    presented: Presented | None = None
    view: ViewKey | None = None
    permit: Permit | None = None
    keyed: str = ""
    """The keyed digest of the question's arguments, where it is known already."""
    listing_failed: ListingFailed | None = None
    """Why the definition of the target is not known, if its list could not be read."""
    ticket: ListTicket | None = None
    """When a list request was sent; null for all else, whose answers teach nothing of what servers present."""

    @property
    def session_key(self) -> str:
        """What binds sealed ids to the session, or to the server where there is none."""
        return self.inbound.session_text


class Settled(Struct, frozen=True, kw_only=True):
    """What to do with a message, and the call that it belongs to."""

    call: Call
    action: Action
    refusal: Refusal | None = None
    """Why the client's message does not pass; what is forwarded all the same is an error of ours in its place."""


def open_request(call: Call) -> tuple[str | int | None, str]:
    """Return id and method of the request whose response may come on this channel; the id is null if there is none."""
    resumes = call.inbound.resumes
    if resumes is not None:
        return resumes.request_id, resumes.method
    return call.inbound.request_id, call.inbound.method.name
