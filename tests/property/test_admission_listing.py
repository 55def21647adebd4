"""What a list shows is what can be called: the property of DESIGN section 4, by the real OPA over the stock policy.

Rule 1: policies are small and generated, and many are judged in one evaluation.
"""

import json
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from gateway.admission.capabilities import OF_SERVER
from tests.property.judge import Judge, asked, stated
from tests.property.worlds import World, worlds

PHASES: Final = (Phase.explicit, Phase.generate)
"""Without shrinking: each attempt is a process, and what fails says which policy and which item it was."""


@settings(max_examples=8, phases=PHASES, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large))
@given(generated=st.lists(worlds(), min_size=6, max_size=6))
def test_an_item_is_listed_exactly_when_its_call_has_no_refusal_that_is_free_of_arguments(
    judge: Judge, generated: list[World]
) -> None:
    answers = judge.judge([stated(world, judge.data(world.files)) for world in generated])
    for world, answer in zip(generated, answers, strict=True):
        for item, verdict, calls in zip(world.items, answer["listed"], answer["calls"], strict=True):
            for call in calls:
                said = json.dumps(world.files), item, call["decision"]
                assert sorted(verdict["refused_by"]) == sorted(call["free"]), said
                assert verdict["listed"] == (not call["free"])
                if call["decision"]["outcome"] != "deny":
                    assert verdict["listed"], "what can be called is not listed"


CAPABILITIES: Final = {
    "tools": ("tools/call",),
    "prompts": ("prompts/get",),
    "resources": ("resources/read",),
    "completions": ("prompts/get", "resources/read"),
}
"""What a server can do, and the calls that it is for."""


def offered(world: World, data: dict[str, Any]) -> dict[str, Any]:
    """Return a world in which a list has, before its items, a message without a target and what the server can do."""
    whole = stated(world, data)
    messages = [("tools/list", None), *((OF_SERVER[name], name) for name in CAPABILITIES)]
    first = [
        {
            "message": asked(world.server, method)["message"],
            "target": {"type": "none", "name": name, "uri": None},
            "definition": None,
        }
        for method, name in messages
    ]
    return {**whole, "calls": [], "listing": {**whole["listing"], "items": first + whole["listing"]["items"]}}


@settings(max_examples=5, phases=PHASES, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large))
@given(generated=st.lists(worlds(), min_size=6, max_size=6))
def test_who_may_call_something_learns_that_the_server_can_do_it(judge: Judge, generated: list[World]) -> None:
    answers = judge.judge([offered(world, judge.data(world.files)) for world in generated])
    for world, answer in zip(generated, answers, strict=True):
        connected, *verdicts = (verdict["listed"] for verdict in answer["listed"])
        capabilities = dict(zip(CAPABILITIES, verdicts, strict=False))
        items = list(zip(world.items, verdicts[len(CAPABILITIES) :], strict=True))
        for name, methods in CAPABILITIES.items():
            callable_ = any(listed and item["method"] in methods for item, listed in items)
            assert capabilities[name] or not (connected and callable_), (json.dumps(world.files), name)


def test_what_is_generated_is_worth_judging(judge: Judge) -> None:
    listed, outcomes = set[bool](), set[str]()

    @seed(5)
    @settings(max_examples=25, phases=PHASES, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large))
    @given(generated=st.lists(worlds(), min_size=3, max_size=3))
    def look(generated: list[World]) -> None:
        for answer in judge.judge([stated(world, judge.data(world.files)) for world in generated]):
            listed.update(verdict["listed"] for verdict in answer["listed"])
            outcomes.update(call["decision"]["outcome"] for calls in answer["calls"] for call in calls)

    look()
    assert listed == {True, False}
    assert outcomes == {"allow", "deny", "hold"}
