"""The permits that senders hold for `ping` and the few notifications that need no question (DESIGN section 2).

Rule 1: a permit belongs to one principal on one server, as one agent, under one policy revision.
Rule 2: the memory is a cache, not a right. Without a permit in it, policy is asked about the message like any other.
"""

from collections import OrderedDict
from typing import Final

from gateway.admission.decision import Verdict
from gateway.admission.inbound_message import Inbound
from gateway.pipeline.call import Call

_REMEMBERED: Final = 20_000


class StandingPermits:
    """A limited cache of the last permitted call of each sender."""

    def __init__(self) -> None:
        """Start without calls."""
        self._calls: Final[OrderedDict[tuple[str, str], Call]] = OrderedDict()

    def keep(self, call: Call) -> None:
        """Remember a permitted call. Ignore a call that has no permit."""
        if call.permit is None or not isinstance(call.answer, Verdict):
            return
        key = _key(call.inbound)
        self._calls[key] = call
        self._calls.move_to_end(key)
        while len(self._calls) > _REMEMBERED:
            self._calls.popitem(last=False)

    def find(self, inbound: Inbound, standing: str) -> Call | None:
        """Return the sender's last permitted call under the policy and the stops of `standing`."""
        call = self._calls.get(_key(inbound))
        if call is None or not isinstance(call.answer, Verdict) or call.answer.standing != standing:
            return None
        agent = call.answer.decision.resolved.agent
        same = inbound.session is None or (agent is not None and agent.id == inbound.session.agent)
        return call if same else None


def _key(inbound: Inbound) -> tuple[str, str]:
    return inbound.server, inbound.principal.key
