"""One message in the pipeline, with its question and the answer of policy.

Rule 1: a call is created once, with its id and its times. Every record of it has that id.
"""

from msgspec import Struct

from gateway.admission.action import Action, Permit
from gateway.admission.decision import PolicyFailure, Verdict
from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import PolicyInput
from gateway.admission.refusal import Refusal
from gateway.pipeline.listing_failures import ListingFailed
from gateway.pipeline.ports import ListTicket, Moment, Presented, ViewKey


class Call(Struct, frozen=True, kw_only=True):
    """A message with its question and the answer of policy."""

    call_id: str
    inbound: Inbound
    begun: Moment
    question: PolicyInput
    answer: Verdict | PolicyFailure | None = None
    presented: Presented | None = None
    view: ViewKey | None = None
    permit: Permit | None = None
    keyed: str = ""
    """The keyed digest of the question's arguments, if it is already known."""
    listing_failed: ListingFailed | None = None
    """Why the definition of the target is not known, if its list could not be read."""
    ticket: ListTicket | None = None
    """When a list request was sent. It is null for every other request, because their answers do not change the cache.
    """


class Settled(Struct, frozen=True, kw_only=True):
    """The action for a message, and the call that it belongs to."""

    call: Call
    action: Action
    refusal: Refusal | None = None
    """Why the client's message does not pass. The action may then forward an error of the gateway in its place."""


def open_request(call: Call) -> tuple[str | int | None, str]:
    """Return the id and method of the request that this channel may answer. The id is null if there is none."""
    resumes = call.inbound.resumes
    if resumes is not None:
        return resumes.request_id, resumes.method
    return call.inbound.request_id, call.inbound.method.name
