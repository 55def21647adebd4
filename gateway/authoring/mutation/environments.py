"""The environments for the questions: those of a policy repository, and the one in the tests of the stock library.

Rule 1: the questions of an environment include its scenarios, in the form that `mcp-admission check` uses.
"""

from typing import Final

from msgspec import to_builtins

from gateway.artifact.json_narrowing import is_object
from gateway.authoring.mutation.question_matrix import MutationEnvironment
from gateway.authoring.mutation.questions import MOMENT
from gateway.policy.build import Content
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.staged_tree import StagedTree
from gateway.policy.rules.facts_for_replay import stated_facts
from gateway.policy.scenario_checks import scenarios
from gateway.policy.scenario_question import question

_FIXTURE: Final = "data.mcp.lib.fixture_test.bundle"


def base_of(content: Content) -> MutationEnvironment:
    """Return the base of an environment; its credentials include those generated for scenarios."""
    told = scenarios(content.environment.scenarios_placed(), content.environment.agents_by_id(), MOMENT)
    index = dict(content.data["index"])
    for each in told:
        index["credentials"] = {**index["credentials"], **each.acting.credentials}
    plain = [to_builtins(question(each.asked, each.acting, content.data)) for each in told]
    asked = [stated_facts(each, content.data) for each in plain]
    return MutationEnvironment(content.environment.name, {**content.data, "index": index}, asked)


def fixture_of(tree: StagedTree, opa: OpaCommand) -> list[MutationEnvironment]:
    """Return the policy that the tests of the stock library use, or an empty list if the tree has none."""
    ran = opa.run("eval", "--format=raw", "--data=mcp", _FIXTURE, within=tree.root)
    data = ran.report()
    return [MutationEnvironment("the fixture of the tests", data)] if ran.code == 0 and is_object(data) else []
