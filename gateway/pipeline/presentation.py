"""What a server presents a target to be, seen before the target is asked about (DESIGN section 3).

Rule 1: a view belongs to a credential; which one applies only a decision says, and only until the next revision.
Rule 2: what was not seen yet is listed first, by the same principal, asked and recorded like any list.
Rule 3: a decision whose route names another credential than the view's does not count (`confirms`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from gateway.admission.decision import PolicyFailure, Route, Verdict
from gateway.admission.exchange import Inbound
from gateway.admission.listing import LISTED_BY
from gateway.admission.policy_input import Target
from gateway.admission.question import target
from gateway.pipeline.ports import Definitions, Presented, ViewKey

_REMEMBERED: Final = 20_000

Look = Callable[[Inbound, str], Awaitable[None]]
"""Lists the upstream by one list method, in the name of the inbound's principal."""


class Sight(Struct, frozen=True, kw_only=True):
    """What is seen of a target: the view it was looked up in, and its presentation there."""

    view: ViewKey | None = None
    presented: Presented | None = None


BLIND: Final = Sight()


def subject_of(inbound: Inbound, verdict: Verdict, *, several_issuers: bool) -> str:
    """Return whose own credential a route with `per: principal` means.

    A verified subject names itself, with its issuer before it where several issuers could use the same name; what has
    no subject, as a service token, is named by its agent, with a prefix that keeps it apart from subjects.
    """
    principal, agent = inbound.principal, verdict.decision.resolved.agent
    if principal.subject:
        return f"{principal.issuer}#{principal.subject}" if several_issuers else principal.subject
    return f"agent:{agent.id}" if agent else ""


def credential_of(route: Route, subject: str) -> str:
    """Return the name under which views of this route's credential are kept: what another address shows is another."""
    credential = route.credential
    name = credential.name if credential else ""
    return f"{route.url} {name}/{subject}" if credential and credential.per == "principal" else f"{route.url} {name}"


class Presentation:
    """Finds what is presented, listing the upstream first where that is not known yet."""

    def __init__(self, definitions: Definitions, *, several_issuers: bool) -> None:
        """Take the cache of definitions; credentials per principal are remembered here, bounded."""
        self.definitions: Final = definitions
        self._several_issuers: Final = several_issuers
        self._credentials: Final[OrderedDict[tuple[str, str], tuple[str, str]]] = OrderedDict()
        self._looking: Final[dict[tuple[ViewKey | None, str, str], asyncio.Future[None]]] = {}

    async def sight(self, inbound: Inbound, revision: str, look: Look) -> Sight:
        """Return what is presented for the target of `inbound` under policy `revision`."""
        wanted = target(inbound)
        if wanted.type not in LISTED_BY:
            return Sight(view=self.view(inbound, revision))
        for method in LISTED_BY[wanted.type]:
            sight = self._seen(inbound, revision, wanted)
            if sight.presented is not None:
                return sight
            if sight.view is None or not self.definitions.fresh(sight.view, method):
                await self._look_once(inbound, sight.view, method, look)
        return self._seen(inbound, revision, wanted)

    def view(self, inbound: Inbound, revision: str) -> ViewKey | None:
        """Return the view of this principal on this server, if a decision of `revision` told its credential."""
        known = self._credentials.get((inbound.server, inbound.principal.key))
        if known is None or known[0] != revision:
            return None
        return self.viewed(inbound, known[1])

    def viewed(self, inbound: Inbound, credential: str) -> ViewKey:
        """Return the view of `credential` on the server of `inbound`."""
        return ViewKey(
            server=inbound.server, credential=credential, revision=inbound.revision, session=inbound.session_text
        )

    def remember(self, inbound: Inbound, answer: Verdict | PolicyFailure) -> ViewKey | None:
        """Keep the credential that an allow names, and return the view that it gives."""
        if isinstance(answer, PolicyFailure) or answer.decision.route is None:
            return None
        credential = credential_of(answer.decision.route, self._subject(inbound, answer))
        key = (inbound.server, inbound.principal.key)
        self._credentials[key] = (answer.standing, credential)
        self._credentials.move_to_end(key)
        while len(self._credentials) > _REMEMBERED:
            self._credentials.popitem(last=False)
        return self.viewed(inbound, credential)

    def _subject(self, inbound: Inbound, answer: Verdict) -> str:
        return subject_of(inbound, answer, several_issuers=self._several_issuers)

    def confirms(self, sight: Sight, view: ViewKey | None) -> bool:
        """Return whether the definition that was judged is the one that the decision's credential sees."""
        return view is None or sight.presented is None or sight.view == view

    def _seen(self, inbound: Inbound, revision: str, wanted: Target) -> Sight:
        view = self.view(inbound, revision)
        return Sight(view=view, presented=self.definitions.seen(view, wanted) if view else None)

    async def _look_once(self, inbound: Inbound, view: ViewKey | None, method: str, look: Look) -> None:
        """Look, or wait for the same look that is already under way."""
        key = (view or self.viewed(inbound, "?"), method, inbound.principal.key)
        under_way = self._looking.get(key)
        if under_way is not None:
            await asyncio.shield(under_way)
            return
        done = asyncio.get_running_loop().create_future()
        self._looking[key] = done
        try:
            await look(inbound, method)
        finally:
            del self._looking[key]
            done.set_result(None)
