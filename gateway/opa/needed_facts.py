"""Facts that a policy needs for a server's calls: learned from its answers, and sent with a repeated query.

Rule 1: a policy queried without facts returns the facts that it needs; the next query includes them from the start.
Rule 2: revisions differ in the facts they need. If another revision answers, the query follows the needs of that one.
Rule 3: facts that the enforced policy cannot find are unknown to it, which permits nothing and lifts no refusal.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.admission.decision import NeededFacts, PolicyFailure
from gateway.admission.facts import with_facts
from gateway.admission.policy_input import PolicyInput
from gateway.admission.sql_statements import DIALECTS, is_available
from gateway.opa.answer import PolicyAnswer, revision_of

KNOWN: Final = 1024
"""Pairs of revision and server whose needs are remembered."""
_ATTEMPTS: Final = 4
"""Without facts and with them, and both again if another revision is enforced meanwhile."""

_LOG: Final = logging.getLogger(__name__)

Needed = tuple[NeededFacts, ...]
Ask = Callable[[PolicyInput], Awaitable[PolicyAnswer | PolicyFailure]]


class FactsNeeded:
    """The facts that the policies of one worker needed; a policy that needs none is not remembered."""

    def __init__(self) -> None:
        """Begin with no known policy."""
        self._known: Final = OrderedDict[tuple[str, str], Needed]()

    async def answered(self, question: PolicyInput, revision: str, ask: Ask) -> PolicyAnswer | PolicyFailure:
        """Return the result of `ask` for the query with the needed facts; `revision` is the enforced policy."""
        needed = self._known.get((revision, question.server.id), ())
        answer = await ask(with_facts(question, needed) if needed else question)
        for _ in range(_ATTEMPTS - 1):
            if isinstance(answer, PolicyFailure):
                return answer
            answered_by = revision_of(answer)
            if needed and answered_by == revision:
                return answer
            told = () if needed else tuple(answer.result.needs_facts)
            if not needed and not told:
                return answer
            revision, needed = answered_by, self._learned((answered_by, question.server.id), told)
            answer = await ask(with_facts(question, needed) if needed else question)
        return answer

    def _learned(self, key: tuple[str, str], told: Needed) -> Needed:
        """Return the needed facts, and remember those that an answer listed."""
        if not told:
            return self._known.get(key, ())
        self._known[key] = told
        if not is_available() and any(name in DIALECTS for need in told for name in need.facts):
            revision, server = key
            _LOG.warning(
                "the policy reads SQL, but this installation has no SQL parser, so its rules refuse such calls; "
                "install the extra: pip install 'mcp-admission[sql]'",
                extra={"revision": revision, "server": server},
            )
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return told
