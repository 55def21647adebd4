"""Definitions of targets before policy is asked, and their confirmation after the answer."""

from gateway.admission.decision import Verdict
from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import Target
from gateway.pipeline.discovery_limits import SharedDiscovery
from gateway.pipeline.listing_failures import CompleteListing, ListOutcome
from gateway.pipeline.ports import ViewKey
from gateway.pipeline.seen_definition import DefinitionFinder
from tests.fakes import REVISION, FakeDefinitions, FakePresented, allow
from tests.unit.pipeline.support import tool_call


class ChangingDefinitions(FakeDefinitions):
    """Definitions of a server whose list has news just after each of the lookups in `news`."""

    def __init__(self, news: set[int]) -> None:
        super().__init__(blank=True)
        self.looks = 0
        self._news = news

    def seen(self, view: ViewKey, target: Target) -> FakePresented | None:
        presented = super().seen(view, target)
        self.looks += 1
        if self.looks in self._news:
            self.forget(view.server, "tools/list")
        return presented

    def fresh(self, view: ViewKey, method: str) -> bool:
        del view, method
        return True


async def unread(inbound: Inbound, method: str) -> ListOutcome:
    del inbound, method
    return CompleteListing()


async def confirmed(definitions: FakeDefinitions) -> bool:
    """Return whether the view of an unlisted tool is still confirmed after the answer."""
    looks = SharedDiscovery(1, lambda principal, _: principal.key)
    presentation, inbound = DefinitionFinder(definitions, looks, several_issuers=False), tool_call()
    answer = Verdict(decision=allow(), revision=REVISION, decision_id="d", micros=1)
    view = presentation.remember(inbound, answer)
    sight = await presentation.sight(inbound, answer.standing, unread)
    assert sight.status == "not_listed"
    return presentation.confirms(inbound, sight, view)


async def test_a_tool_that_is_not_listed_is_confirmed_without_news() -> None:
    assert await confirmed(ChangingDefinitions(set()))


async def test_news_just_after_the_look_is_not_missed() -> None:
    definitions = ChangingDefinitions(set())
    await confirmed(definitions)
    last_of_sight = definitions.looks - 1
    assert not await confirmed(ChangingDefinitions({last_of_sight}))
