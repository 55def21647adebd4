from typing import Any

import pytest

from gateway.policy.rules.facts_for_replay import stated_facts

NEEDS: list[Any] = [{"path": "/url", "facts": ["host"]}]
ASKED: dict[str, Any] = {"server": {"id": "web"}, "arguments": {"url": "http://Good.example/"}}
FACTS = {"/url": {"host": "good.example"}}


def data(facts: Any) -> dict[str, Any]:
    return {"index": {"facts": facts}}


def test_a_question_has_the_facts_that_the_index_names_for_its_server() -> None:
    assert stated_facts(ASKED, data({"*": [], "web": NEEDS})) == {**ASKED, "facts": FACTS}
    assert stated_facts(ASKED, data({"*": NEEDS})) == {**ASKED, "facts": FACTS}
    assert stated_facts(ASKED, data({"*": NEEDS, "mail": []}))["facts"] == FACTS


@pytest.mark.parametrize("facts", [{}, {"*": []}, {"*": NEEDS, "web": []}, {"mail": NEEDS}])
def test_a_question_of_a_policy_that_reads_no_facts_states_none(facts: Any) -> None:
    assert stated_facts(ASKED, data(facts)) is ASKED
    assert stated_facts(ASKED, {"index": {}}) is ASKED


@pytest.mark.parametrize("facts", [None, [], "host", {"web": "host"}, {"web": [{"path": "/url"}]}, {"web": [7]}])
def test_an_index_that_cannot_be_read_gives_no_facts(facts: Any) -> None:
    assert stated_facts(ASKED, data(facts)) is ASKED
    assert stated_facts(ASKED, {"index": None}) is ASKED
    assert stated_facts(ASKED, {}) is ASKED


@pytest.mark.parametrize("asked", [{"server": {"id": "web"}}, {"server": None}, {"server": {}, "arguments": ["a"]}])
def test_a_recorded_question_of_another_form_has_no_facts(asked: dict[str, Any]) -> None:
    assert stated_facts(asked, data({"*": NEEDS})) == {**asked, "facts": {}}
