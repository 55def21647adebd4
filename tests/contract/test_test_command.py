"""`mcp-admission test` as a policy author runs it: every stage, the problems of `check`, and mutants of own Rego."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from click.testing import Result

Write = Callable[[str, str], Path]
Run = Callable[..., Result]
OWN = "rego/mcp/requirements/names_are_short"
SOUND = """
    # METADATA
    # title: Names are short
    # description: Tools with long names are not called.
    # custom: {severity: low, remedy: Ask for a shorter one.}
    package mcp.requirements.names_are_short

    met if {
    \tinput.target.type == "tool"
    \tcount(input.target.name) < 24
    }

    met if input.target.type in {"prompt", "resource", "task", "none"}
    """
WEAK_TEST = """
    package mcp.requirements.names_are_short_test

    import data.mcp.requirements.names_are_short

    test_short_names_are_met if names_are_short.met with input.target as {"type": "tool", "name": "short"}

    test_what_is_no_tool_is_met if {
    \tname := "a_name_that_is_far_too_long"
    \tevery type in ["prompt", "resource", "task", "none"] { _met({"type": type, "name": name}) }
    }

    _met(target) if {
    \tnames_are_short.met with input.target as target
    }
    """
GOOD_TEST = f"""{WEAK_TEST}
    test_long_names_are_not_met if {{
    \tnot _met({{"type": "tool", "name": "a_name_that_is_far_too_long"}})
    \tnot _met({{"type": "tool", "name": "of_24_letters_xxxxxxxxxx"}})
    \t_met({{"type": "tool", "name": "of_23_letters_xxxxxxxxx"}})
    }}
    """
LONG = """
    server: long
    url: http://127.0.0.1:1/mcp
    owner: o
    tools: {a_name_that_is_far_too_long: {action: read}}
    """


def stages(result: Result) -> list[tuple[str, str, str]]:
    """Mark, whose and name of every stage that is shown."""
    found = re.findall(r"^(ok|FAIL) +(\S+) +(\S+) +[0-9.]+ s  ", result.stdout, re.MULTILINE)
    return [(mark, of, name) for mark, of, name in found]


def written(put: Write, test: str) -> None:
    put(f"{OWN}/names_are_short.rego", SOUND)
    put(f"{OWN}/names_are_short_test.rego", test)


def test_every_stage_is_shown_with_what_it_looked_at(run: Run, repository: Path, put: Write) -> None:
    written(put, GOOD_TEST)
    result = run("test", repository)
    assert result.exit_code == 0, result.output
    rego = [("ok", "rego", name) for name in ("sources", "check", "format", "tests", "coverage")]
    assert stages(result) == [*rego, *(("ok", "dev", name) for name in ("data", "bundle", "scenarios"))]
    assert "2 own files in addition to" in result.stdout
    assert "14 requirements" in result.stdout
    assert "3 tests of 1 package" in result.stdout
    assert f"100.0 %  {OWN}/names_are_short.rego" in result.stdout
    assert "a masked journal keeps for any server: no values" in result.stdout
    assert "a masked journal keeps for demo: /arguments/path, /arguments/to" in result.stdout
    assert "14 scenarios" in result.stdout
    assert result.stderr.endswith("no problems\n")


def test_less_coverage_of_own_rego_is_a_wish(run: Run, repository: Path, put: Write) -> None:
    written(put, WEAK_TEST.replace("test_what_is_no_tool", "of_what_is_no_tool"))
    result = run("test", repository)
    assert result.exit_code == 0, result.output
    assert f"recommended: {OWN}/names_are_short.rego:12: has a test coverage of" in result.stdout
    assert "recommended" not in run("test", repository, "--coverage", 10).stdout
    assert run("check", repository).exit_code == 1


def test_a_requirement_that_makes_a_masked_journal_keep_all_arguments_is_told(
    run: Run, repository: Path, put: Write
) -> None:
    written(put, GOOD_TEST)
    put(f"{OWN}/names_are_short.rego", f"{SOUND.rstrip()}\n\n    met_by_arguments if count(input.arguments) < 100\n")
    told = run("test", repository).stdout
    assert "recommended: mcp/requirements/names_are_short: reads all arguments" in told
    assert "a masked journal keeps for any server: /arguments\n" in told


def test_test_and_check_find_the_same_problems(run: Run, repository: Path, put: Write) -> None:
    written(put, GOOD_TEST.replace("not _met", "_met"))
    put("bundles/dev/rules/more.yaml", "rules:\n  - rule: more\n    effect: never\n")
    put("bundles/staging/environment.yaml", "name: production\n")
    tested, checked = run("test", repository), run("check", repository)
    assert [tested.exit_code, checked.exit_code] == [1, 1]
    told = [line.strip() for line in tested.stdout.splitlines() if line.startswith("      ")]
    assert sorted(told) == checked.stdout.splitlines()
    assert {line.split(": ")[0] for line in told} == {
        f"{OWN}/names_are_short_test.rego:16",
        "bundles/dev/rules/more.yaml:3",
        "bundles/staging/environment.yaml:1",
    }
    assert ("FAIL", "rego", "tests") in stages(tested)


def test_a_stage_that_cannot_be_looked_at_is_left_out(run: Run, repository: Path, put: Write) -> None:
    put(f"{OWN}/names_are_short.rego", "package mcp.requirements.names_are_short\n\nmet if {\n")
    result = run("test", repository)
    assert result.exit_code == 1
    assert ("FAIL", "rego", "check") in stages(result)
    assert ("ok", "rego", "tests") not in stages(result)
    assert len([line for line in result.stdout.splitlines() if "names_are_short.rego:" in line]) == 1


def test_a_mutant_that_lets_something_pass_is_a_failure(run: Run, repository: Path, put: Write) -> None:
    written(put, WEAK_TEST)
    put("bundles/dev/catalog/long.yaml", LONG)
    put(
        "bundles/dev/rules/long.yaml",
        "rules:\n  - {rule: long, effect: allow, reason: x, owner: a@b.c, what: {servers: [long]}}\n",
    )
    result = run("test", repository, "--mutate", "--only", "names_are_short", "--jobs", 2)
    assert result.exit_code == 1, result.output
    assert f"{OWN}/names_are_short.rego:9: LOOSENS, and no test detects the deletion: `count(" in result.stdout
    assert "was deny" in result.stdout
    assert ("FAIL", "rego", "mutation") in stages(result)


def test_a_mutant_that_changes_no_answer_is_told_and_is_none(run: Run, repository: Path, put: Write) -> None:
    written(put, GOOD_TEST)
    result = run("test", repository, "--mutate", "--jobs", 2)
    assert result.exit_code == 0, result.output
    assert "LOOSENS" not in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if " mutation " in line]
    assert re.search(r"[1-9]\d mutants, [1-9]\d killed, 1 survived, of which 0 loosened", line), line
    progress = re.findall(r"(\d+) of (\d+) mutants tested", result.stderr)
    assert len(progress) == 10, "one line each tenth"
    assert progress[-1][0] == progress[-1][1]
    assert f"{OWN}/names_are_short.rego:8: no test detects the deletion: `input.target.type" in result.stdout


CONFIRMED: Final = """
    # METADATA
    # title: Sending is confirmed
    # description: What sends says so.
    # custom: {severity: low, remedy: Confirm it.}
    package mcp.requirements.sending_is_confirmed

    import data.mcp.lib.call

    met := true

    met_by_arguments if not call.may("send")

    met_by_arguments if CONDITION
    """
ITS_TEST: Final = """
    package mcp.requirements.sending_is_confirmed_test

    import data.mcp.requirements.sending_is_confirmed

    _passes(arguments) if sending_is_confirmed.met_by_arguments with input.arguments as arguments

    test_met if sending_is_confirmed.met

    test_confirmed if _passes({"confirm": true})

    test_refused if {
    \tnot _passes({})
    \tnot _passes({"confirm": false})
    }

    test_readers_pass if sending_is_confirmed.met_by_arguments with data.mcp.lib.call.action as "read"
    """


@pytest.mark.parametrize(
    ("condition", "test", "open_to"),
    [
        ("input.arguments.confirm", "", "is null or number or string or array or object"),
        ("input.arguments.confirm == true", "", ""),
        (
            "input.arguments.confirm",
            'test_anything if {\n\tevery value in [null, 1, "x", [], {}] { _passes({"confirm": value}) }\n}\n',
            "",
        ),
    ],
)
def test_a_requirement_that_permits_other_types_is_a_failure_unless_a_test_says_so(
    run: Run, repository: Path, put: Write, condition: str, test: str, open_to: str
) -> None:
    own = "rego/mcp/requirements/sending_is_confirmed/sending_is_confirmed"
    put(f"{own}.rego", CONFIRMED.replace("CONDITION", condition))
    its_test = put(f"{own}_test.rego", ITS_TEST)
    its_test.write_text(its_test.read_text() + (f"\n{test}" if test else ""))
    scenarios = repository / "bundles/dev/scenarios/demo.yaml"
    scenarios.write_text(scenarios.read_text().replace("text: hi}", "text: hi, confirm: true}"))
    result = run("test", repository, "--mutate", "--sample", "1", "--jobs", "1")
    said = f"{own}.rego:11: FAILS OPEN: `met_by_arguments` refuses some values of `input.arguments.confirm`"
    assert (said in result.stdout) is bool(open_to), result.output
    assert open_to in result.stdout
    assert ("no problems" in result.output) is not bool(open_to)


def test_nothing_is_mutated_while_there_are_problems(run: Run, repository: Path, put: Write) -> None:
    written(put, GOOD_TEST.replace("not _met", "_met"))
    assert "mutation" not in run("test", repository, "--mutate").stdout
