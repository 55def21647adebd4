"""The definition of a target as a server presents it, looked up before policy is asked about it (DESIGN section 3).

Rule 1: a view belongs to a credential. Only a decision names the credential, and only until the next revision.
Rule 2: if a target was not seen yet, the server is listed first, by the same principal, asked about and recorded like
any list.
Rule 3: a decision does not count if its route names a credential other than the view's, or if news of the server's list
arrived meanwhile (`confirms`).
Rule 4: a failed listing is a value. It is shared only by messages of one principal in one session, and it refuses no
later message: a message that needs the definition reads the list again.
"""

from collections import OrderedDict
from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from gateway.admission.decision import PolicyFailure, Route, Verdict
from gateway.admission.inbound_message import Inbound
from gateway.admission.listing import LISTED_BY
from gateway.admission.policy_input import DefinitionStatus, Target
from gateway.admission.question import target
from gateway.pipeline.discovery_limits import Look, SharedDiscovery
from gateway.pipeline.listing_failures import ListingFailed
from gateway.pipeline.ports import PresentationCache, Presented, ViewKey

_REMEMBERED: Final = 20_000


class SeenDefinition(Struct, frozen=True, kw_only=True):
    """The definition seen for a target, and the view that it was looked up in."""

    wanted: Target | None
    """The target, or null if it is of a type that no list presents."""
    view: ViewKey | None = None
    presented: Presented | None = None
    failed: ListingFailed | None = None
    """Why the target's list could not be read. Null if it was read, or did not have to be."""
    recalled: bool = False
    """True if the failure is an earlier one and the list was not read again."""
    ambiguous: bool = False
    """True if the server presents the target in two ways at once."""
    generations: tuple[tuple[int, int], ...] = ()
    """The news of the target's lists at that time. Empty if there is a definition: then that is compared."""

    @property
    def status(self) -> DefinitionStatus | UnsetType:
        """Return the status of the definition for policy. Unset for a target that has none, or more than one."""
        if self.presented is not None:
            return "seen"
        if self.ambiguous or not self.generations:
            return UNSET
        if self.failed is not None:
            return "listing_failed"
        return "not_listed" if self.view is not None else UNSET


def subject_of(inbound: Inbound, verdict: Verdict, *, several_issuers: bool) -> str:
    """Return the owner of the credential that a route with `per: principal` needs.

    A verified subject names itself, after its issuer if several issuers could use the same name. A principal without a
    subject, such as a service token, is named by its agent, with a prefix that separates it from subjects.
    """
    principal, agent = inbound.principal, verdict.decision.resolved.agent
    if principal.subject:
        return f"{principal.issuer}#{principal.subject}" if several_issuers else principal.subject
    return f"agent:{agent.id}" if agent else ""


def credential_of(route: Route, subject: str) -> str:
    """Return the name under which views of this route's credential are kept. It includes the server's address."""
    credential = route.credential
    name = credential.name if credential else ""
    return f"{route.url} {name}/{subject}" if credential and credential.per == "principal" else f"{route.url} {name}"


class DefinitionFinder:
    """Lookup of presented definitions. It lists the upstream first if the definition is not known yet."""

    def __init__(self, definitions: PresentationCache, looks: SharedDiscovery, *, several_issuers: bool) -> None:
        """Take the cache of definitions, and the shared listings. The memory of credentials is limited."""
        self.definitions: Final = definitions
        self._several_issuers: Final = several_issuers
        self._credentials: Final[OrderedDict[tuple[str, str], tuple[str, str]]] = OrderedDict()
        self._looks: Final = looks

    async def sight(self, inbound: Inbound, revision: str, look: Look, *, insist: bool = True) -> SeenDefinition:
        """Return the definition presented for the target of `inbound` under policy `revision`.

        Without `insist`, a list that failed a moment ago is not read again.
        """
        wanted = target(inbound)
        if wanted.type not in LISTED_BY:
            return SeenDefinition(wanted=None, view=self.view(inbound, revision))
        failed, recalled = None, False
        for method in LISTED_BY[wanted.type]:
            sight = self._seen(inbound, revision, wanted)
            if sight.presented is not None:
                return sight
            if sight.view is not None and self.definitions.fresh(sight.view, method):
                continue
            known = None if insist else self._looks.failed(method, inbound)
            outcome = known or await self._looks.look(method, inbound, look)
            if isinstance(outcome, ListingFailed):
                failed, recalled = failed or outcome, recalled or known is not None
        sight = self._seen(inbound, revision, wanted)
        return sight if sight.presented is not None else replace(sight, failed=failed, recalled=recalled)

    def view(self, inbound: Inbound, revision: str) -> ViewKey | None:
        """Return the view of this principal on this server, if a decision of `revision` named its credential."""
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
        """Keep the credential that an allow names, and return its view."""
        if isinstance(answer, PolicyFailure) or answer.decision.route is None:
            return None
        subject = subject_of(inbound, answer, several_issuers=self._several_issuers)
        credential = credential_of(answer.decision.route, subject)
        key = (inbound.server, inbound.principal.key)
        self._credentials[key] = (answer.standing, credential)
        self._credentials.move_to_end(key)
        while len(self._credentials) > _REMEMBERED:
            self._credentials.popitem(last=False)
        return self.viewed(inbound, credential)

    def confirms(self, inbound: Inbound, sight: SeenDefinition, view: ViewKey | None) -> bool:
        """Return whether the decision's credential sees the judged definition, and no news of it arrived meanwhile."""
        wanted = sight.wanted
        if wanted is None:
            return True
        if view is not None and sight.view != view and (sight.view is not None or sight.failed is None):
            return False
        now = self._presented(view or sight.view, wanted)
        if sight.presented is None:
            return now is None and sight.generations == self._generations(inbound, wanted)
        return now is not None and now.definition.sha256 == sight.presented.definition.sha256

    def _seen(self, inbound: Inbound, revision: str, wanted: Target) -> SeenDefinition:
        view = self.view(inbound, revision)
        presented = self._presented(view, wanted)
        if presented is not None:
            return SeenDefinition(wanted=wanted, view=view, presented=presented)
        generations = self._generations(inbound, wanted)  # before the lookup, so that news between the two is noticed
        presented = self._presented(view, wanted)
        ambiguous = view is not None and presented is None and self.definitions.ambiguous(view, wanted)
        return SeenDefinition(
            wanted=wanted, view=view, ambiguous=ambiguous, presented=presented, generations=generations
        )

    def _presented(self, view: ViewKey | None, wanted: Target) -> Presented | None:
        return self.definitions.seen(view, wanted) if view else None

    def _generations(self, inbound: Inbound, wanted: Target) -> tuple[tuple[int, int], ...]:
        methods = LISTED_BY.get(wanted.type, ())
        return tuple([self.definitions.generation(inbound.server, method) for method in methods])
