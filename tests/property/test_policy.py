"""Whatever a valid input says, the stock library decides it; and no refusal is ever taken back by refusing more.

Rule 1: inputs are drawn from the types of the policy input themselves.
Rule 2: the real OPA decides, many questions in one evaluation; an evaluation error in one of them fails the test.
"""

import json
import random
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from gateway.admission.decision import Decision, Listing
from gateway.admission.policy_input import PolicyInput
from tests.property.judge import Judge, stated
from tests.property.questions import inputs
from tests.property.worlds import CLASSES, World, rule, worlds

PHASES: Final = (Phase.explicit, Phase.generate)
"""Without shrinking: each attempt is a process, and what fails says which policy and which question it was."""
QUIET: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
RANK: Final = {"deny": 0, "hold": 1, "allow": 2}
RULES: Final = "rules/r.yaml"
Files = dict[str, Any]


@settings(max_examples=20, phases=PHASES, suppress_health_check=QUIET)
@given(world=worlds(), asked=st.lists(inputs(), min_size=3, max_size=3))
def test_every_valid_input_gets_a_valid_decision(judge: Judge, world: World, asked: list[dict[str, Any]]) -> None:
    for question in asked:
        msgspec.convert(question, PolicyInput)
    for question, answer in zip(asked, judge.decided(judge.data(world.files), asked), strict=True):
        said = json.dumps(world.files), json.dumps(question), json.dumps(answer)
        (made,), (shown,) = answer["decisions"], answer["listings"]
        decision, listing = msgspec.convert(made, Decision, strict=True), msgspec.convert(shown, Listing, strict=True)
        assert len(listing.items) == len(question["items"]), said
        assert all(item.listed == (not item.refused_by) for item in listing.items), said
        assert (decision.outcome == "allow") == (decision.route is not None), said
        assert bool(decision.reasons) == (decision.outcome != "allow"), said
        assert decision.grounds or decision.outcome != "allow", said


def test_valid_inputs_reach_every_outcome_and_requirement(judge: Judge) -> None:
    outcomes, refusing = set[str](), set[str]()

    @seed(2)
    @settings(max_examples=20, phases=PHASES, suppress_health_check=QUIET, database=None)
    @given(world=worlds(), asked=st.lists(inputs(), min_size=3, max_size=3))
    def look(world: World, asked: list[dict[str, Any]]) -> None:
        for answer in judge.decided(judge.data(world.files), asked):
            outcomes.update(each["outcome"] for each in answer["decisions"])
            refusing.update(each["requirement"] for made in answer["decisions"] for each in made["reasons"])

    look()
    assert "deny" in outcomes
    assert {"principal_is_verified", "message_is_known", "server_is_listed", "target_is_listed"} <= refusing


@settings(max_examples=5, phases=PHASES, suppress_health_check=QUIET)
@given(generated=st.lists(st.tuples(worlds(), rule()), min_size=4, max_size=4))
def test_another_deny_rule_never_allows_more(judge: Judge, generated: list[tuple[World, Any]]) -> None:
    stricter = [
        (world, with_rules(world, [*rules_of(world), added | {"rule": "added", "effect": "deny"}]))
        for world, added in generated
    ]
    assert loosened(judge, stricter) == []


@settings(max_examples=5, phases=PHASES, suppress_health_check=QUIET)
@given(generated=st.lists(st.tuples(worlds(), st.integers(0, 5)), min_size=4, max_size=4))
def test_one_allow_rule_less_never_allows_more(judge: Judge, generated: list[tuple[World, int]]) -> None:
    stricter: list[tuple[World, Files]] = []
    for world, number in generated:
        allowing = [each["rule"] for each in rules_of(world) if each["effect"] == "allow"]
        gone = allowing[number % len(allowing)] if allowing else None
        stricter.append((world, with_rules(world, [each for each in rules_of(world) if each["rule"] != gone])))
    assert loosened(judge, stricter) == []


@settings(max_examples=5, phases=PHASES, suppress_health_check=QUIET)
@given(generated=st.lists(st.tuples(worlds(), st.sampled_from(CLASSES)), min_size=4, max_size=4))
def test_another_data_class_never_allows_more(judge: Judge, generated: list[tuple[World, str]]) -> None:
    assert loosened(judge, [(world, with_class(world, added)) for world, added in generated]) == []


@settings(max_examples=5, phases=PHASES, suppress_health_check=QUIET)
@given(generated=st.lists(st.tuples(worlds(), st.sampled_from(CLASSES)), min_size=4, max_size=4))
def test_one_clearance_less_never_allows_more(judge: Judge, generated: list[tuple[World, str]]) -> None:
    stricter: list[tuple[World, Files]] = []
    for world, gone in generated:
        bot = world.files["agents/bot.yaml"]
        narrower = bot | {"clearance": [name for name in bot.get("clearance", ()) if name != gone]}
        stricter.append((world, {**world.files, "agents/bot.yaml": {k: v for k, v in narrower.items() if v != []}}))
    assert loosened(judge, stricter) == []


@settings(max_examples=4, phases=PHASES, suppress_health_check=QUIET)
@given(generated=st.lists(st.tuples(worlds(), st.randoms(use_true_random=False)), min_size=4, max_size=4))
def test_the_order_of_rules_files_and_lists_changes_nothing(
    judge: Judge, generated: list[tuple[World, random.Random]]
) -> None:
    questions: list[dict[str, Any]] = []
    for world, chance in generated:
        mixed = {name: shuffled(value, chance) for name, value in world.files.items()}
        rules = mixed.pop(RULES)["rules"]
        middle = chance.randrange(len(rules) + 1)
        parts = {"rules/z.yaml": rules[:middle], "rules/a.yaml": rules[middle:]}
        spread = mixed | {name: {"rules": part} for name, part in parts.items() if part}
        questions += [stated(world, judge.data(world.files)), stated(world, judge.data(spread))]
    answers = judge.judge(questions)
    for before, after in zip(answers[::2], answers[1::2], strict=True):
        assert before == after


def rules_of(world: World) -> list[dict[str, Any]]:
    return world.files[RULES]["rules"]


def with_rules(world: World, rules: list[dict[str, Any]]) -> Files:
    """Return the files of a world with other rules, and without that file where there are none."""
    others = {name: value for name, value in world.files.items() if name != RULES}
    return others | ({RULES: {"rules": rules}} if rules else {})


def with_class(world: World, added: str) -> Files:
    """Return the files of a world in which all that states data classes states another one, too."""

    def wider(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        entry: dict[str, Any] = {key: wider(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
        return entry | ({"data": list(dict.fromkeys([*entry["data"], added]))} if "data" in entry else {})

    return {name: wider(value) if name.startswith("catalog/") else value for name, value in world.files.items()}


def loosened(judge: Judge, stricter: list[tuple[World, Files]]) -> list[str]:
    """Return what the second policy of each pair answers more loosely than the first."""
    answers = judge.judge(
        [stated(world, judge.data(files)) for world, other in stricter for files in (world.files, other)]
    )
    found: list[str] = []
    for (world, other), before, after in zip(stricter, answers[::2], answers[1::2], strict=True):
        listed = zip(before["listed"], after["listed"], strict=True)
        calls = zip(before["calls"], after["calls"], strict=True)
        looser = any(new["listed"] and not old["listed"] for old, new in listed) or any(
            RANK[new["decision"]["outcome"]] > RANK[old["decision"]["outcome"]]
            for some, others in calls
            for old, new in zip(some, others, strict=True)
        )
        found += [json.dumps({"before": world.files, "after": other})] if looser else []
    return found


def shuffled(value: Any, chance: random.Random) -> Any:
    """Return a document with all of its lists in another order."""
    if isinstance(value, dict):
        return {key: shuffled(inner, chance) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        made = [shuffled(inner, chance) for inner in value]  # pyright: ignore[reportUnknownVariableType]
        chance.shuffle(made)
        return made
    return value
