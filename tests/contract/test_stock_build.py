"""The checked-in library and environments go through the build like anybody's."""

import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import available_timezones

import orjson
import pytest

from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.library import library
from gateway.policy.build import Builder, Built, Content, PolicySource
from gateway.policy.checking import Checking, environments
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rules.cross_checks import ALWAYS_DENY
from gateway.policy.rules.policy_data import bundle_data
from gateway.policy.sources.problem import Problems

Write = Callable[[str, str], Path]


def test_the_checked_in_combiner_is_the_generated_one(content: Callable[[], Content], checkout: Path) -> None:
    assert (checkout / "rego" / COMBINED_REQUIREMENTS).read_bytes() == content().policies.files[COMBINED_REQUIREMENTS]


def test_every_requirement_of_the_stock_is_complete(content: Callable[[], Content]) -> None:
    found = content().policies.requirements
    assert set(found) > ALWAYS_DENY
    assert all(each.title and each.description and each.remedy and each.reads for each in found.values())
    assert {name for name, each in found.items() if each.arguments} == {"arguments_match_the_schema", "rules_permit"}


def test_check_finds_nothing_in_this_repository(checkout: Path, verified: Path, opa: Path) -> None:
    checking = Checking(opa=opa, state=verified, now=time.time(), least_coverage=100)
    checked = checking.check(checkout, environments(checkout))
    assert checked.problems == ()
    assert [summary.environment for summary in checked.summaries] == environments(checkout)


def test_a_requirement_of_the_stock_cannot_be_widened(repository: Path, put: Write, verified: Path, opa: Path) -> None:
    put("rego/mcp/requirements/rules_permit/wider.rego", "package mcp.requirements.rules_permit\n\nmet if true\n")
    result = Builder(verified, opa).build(PolicySource(repository, "dev"), time.time())
    assert isinstance(result, Problems)
    assert {problem.file for problem in result.problems} == {"rego/mcp/requirements/rules_permit/wider.rego"}


def test_a_saved_rule_is_built_without_verifying_the_rego_again(
    repository: Path, put: Write, verified: Path, opa: Path
) -> None:
    builder, source = Builder(verified, opa), PolicySource(repository, "dev")
    assert isinstance(builder.build(source, time.time()), Built)
    put("bundles/dev/rules/more.yaml", "rules:\n  - {rule: more, effect: deny, reason: x}\n")
    began = time.process_time()
    assert isinstance(builder.build(source, time.time()), Built)
    assert time.process_time() - began < 0.3


def test_the_time_zones_that_data_may_name_are_those_that_the_policy_knows(
    content: Callable[[], Content], opa: Path, tmp_path: Path
) -> None:
    for name, source in content().policies.files.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(source)
    ran = OpaCommand(opa).run("eval", "--format=raw", "--data=mcp", "data.mcp.lib.clock.zones.names", within=tmp_path)
    known = set(orjson.loads(ran.out))
    unknown = {zone for zone in available_timezones() if zone not in known and not zone.startswith("SystemV/")}
    assert unknown <= {"localtime", "Factory", "posixrules"}


def test_data_depends_on_nothing_but_the_documents(content: Callable[[], Content]) -> None:
    first, second = content(), content()
    assert first.files == second.files
    assert bundle_data(first.environment, first.data["requirements"]) == first.data


def test_the_requirements_that_always_deny_are_the_same_in_rego_and_python(opa: Path) -> None:
    asked = ("eval", "--format=raw", f"--data={library() / 'mcp'}", "data.mcp.lib.enforcement.always_deny")
    assert set(OpaCommand(opa).run(*asked, within=library()).report()) == ALWAYS_DENY


@pytest.mark.parametrize("requirement", sorted(ALWAYS_DENY))
def test_those_that_always_deny_are_requirements_of_the_stock(content: Callable[[], Content], requirement: str) -> None:
    assert requirement in content().policies.requirements
