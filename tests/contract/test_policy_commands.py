"""`check` and `ask` as a person runs them, on a policy repository with the stock library."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Write = Callable[[str, str], Path]
Run = Callable[..., Result]


def test_check_is_silent_but_for_a_summary_where_all_is_in_order(run: Run, repository: Path) -> None:
    result = run("check", repository)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("dev: 13 requirements, 1 server, 1 agent, 5 rules, ")
    assert result.stderr.endswith("no problems\n")


def test_check_says_what_a_kind_proves_if_rules_name_kinds(run: Run, repository: Path, put: Write) -> None:
    rule = "{rule: cursor-rests, effect: deny, who: {kinds: [claude-code]}, what: {actions: [execute]}, reason: r}"
    put("bundles/dev/rules/kinds.yaml", f"rules: [{rule}]\n")
    said = run("check", repository).stderr
    assert "dev: 1 rule by kind. `kind` is the client that the agent is registered with; it does not prove" in said


def test_check_prints_every_problem_with_its_line_and_fails(run: Run, repository: Path, put: Write) -> None:
    put("bundles/dev/rules/more.yaml", "rules:\n  - rule: more\n    effect: never\n")
    put("bundles/staging/environment.yaml", "name: production\n")
    result = run("check", repository)
    assert result.exit_code == 1
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == [
        "bundles/dev/rules/more.yaml:3",
        "bundles/staging/environment.yaml:1",
    ]
    assert "2 problems" in result.stderr


MISSPELLED = "rules:\n  - rule: more\n    effect: {}\n    what: {{tools: [send_mesage]}}\n    reason: x\n    owner: o\n"
SAID = "bundles/dev/rules/more.yaml:4: {}no tool is called `send_mesage`. Did you mean `send_message`?"


def test_check_test_and_build_refuse_a_misspelled_name_in_a_deny(
    run: Run, repository: Path, put: Write, tmp_path: Path
) -> None:
    put("bundles/dev/rules/more.yaml", MISSPELLED.format("deny"))
    said = SAID.format("")
    checked, tested = run("check", repository), run("test", repository)
    built = run("bundle", "build", "dev", "--policy", repository, "-o", tmp_path / "x")
    assert [checked.exit_code, tested.exit_code, built.exit_code] == [1, 1, 1]
    assert checked.stdout == f"{said}\n"
    assert f"      {said}\n" in tested.stdout
    assert built.stderr == f"{said}\n"
    assert not (tmp_path / "x").exists()


def test_check_test_and_build_report_a_misspelled_name_in_an_allow(
    run: Run, repository: Path, put: Write, tmp_path: Path
) -> None:
    put("bundles/dev/rules/more.yaml", MISSPELLED.format("allow"))
    said = SAID.format("warning: ")
    checked, tested = run("check", repository), run("test", repository)
    built = run("bundle", "build", "dev", "--policy", repository, "-o", tmp_path / "x")
    assert [checked.exit_code, tested.exit_code, built.exit_code] == [0, 0, 0]
    assert checked.stdout == f"{said}\n"
    assert checked.stderr.endswith("no problems, 1 warning\n")
    assert f"      {said}\n" in tested.stdout
    assert built.stderr.startswith(f"{said}\n")


def test_the_end_of_a_waiver_leaves_a_deny_in_force_and_ends_an_allow(run: Run, repository: Path, put: Write) -> None:
    waived = (
        "what: {tools: [read_file, write_file]}, not_yet: true, owner: a@example.com, expires: '2026-01-01T00:00:00Z'"
    )
    put("bundles/dev/rules/more.yaml", f"rules:\n  - {{rule: more, effect: deny, reason: x, {waived}}}\n")
    read = ("ask", "-d", repository, "--agent", "dev", "--server", "demo", "--tool")
    assert "rule more (deny, owner a@example.com)" in run(*read, "read_file").stdout
    put("bundles/dev/rules/more.yaml", f"rules:\n  - {{rule: more, effect: allow, reason: x, {waived}}}\n")
    assert run(*read, "write_file").stdout.startswith("deny")


def test_check_runs_the_scenarios(run: Run, repository: Path, put: Write) -> None:
    put(
        "bundles/dev/rules/more.yaml",
        "rules:\n  - rule: more\n    effect: deny\n    reason: x\n    what: {tools: [read_file]}\n",
    )
    result = run("check", repository)
    assert result.exit_code == 1
    assert "the scenario `a file is read` ends in deny, not allow" in result.stdout


def test_check_asks_for_format_and_coverage_of_own_rego(run: Run, repository: Path, put: Write) -> None:
    put("rego/mcp/lib/own/x/x.rego", "package mcp.lib.own.x\n\nnever if 1   == 2\n")
    result = run("check", repository)
    assert result.exit_code == 1
    assert [line.split(" ")[0] for line in result.stdout.splitlines()] == [
        "rego/mcp/lib/own/x/x.rego:",
        "rego/mcp/lib/own/x/x.rego:3:",
    ]
    assert "is not formatted" in result.stdout
    assert "has a test coverage of 0 %" in result.stdout
    assert "is reached" not in run("check", repository, "--coverage", 0).stdout


def test_check_of_one_environment_leaves_the_others_alone(run: Run, repository: Path, put: Write) -> None:
    put("bundles/staging/environment.yaml", "name: production\n")
    assert run("check", repository, "-e", "dev").exit_code == 0
    assert run("check", repository, "-e", "staging").exit_code == 1
    assert "does not exist" in run("check", repository, "-e", "absent").stdout


def test_check_without_an_environment_says_what_to_do(run: Run, tmp_path: Path) -> None:
    result = run("check", tmp_path)
    assert result.exit_code == 1
    assert "mcp-admission init" in result.stderr


def test_ask_answers_with_reasons_and_grounds(run: Run, repository: Path) -> None:
    asking = ("ask", "-d", repository, "--agent", "dev", "--server", "demo")
    allowed = run(*asking, "--tool", "read_file", "--args", '{"path": "welcome.md"}')
    assert allowed.exit_code == 0, allowed.output
    assert allowed.stdout.startswith("allow  dev → demo read_file (read)\n")
    assert "asked without a credential, as the anonymous agent, at 20" in allowed.stdout
    assert "rule demo-may-be-read (allow, owner you@example.com)" in allowed.stdout
    denied = run(*asking, "--tool", "delete_file", "--args", '{"path": "notes/a.md"}')
    assert denied.stdout.startswith("deny  dev → demo delete_file (delete)\n")
    assert "because: rules_permit" in denied.stdout
    assert "rule demo-files-are-kept (deny" in denied.stdout


def test_ask_prints_json_on_request(run: Run, repository: Path) -> None:
    asking = ("ask", "-d", repository, "--agent", "dev", "--server", "demo", "--method", "tools/list", "--json")
    answer = json.loads(run(*asking).stdout)
    assert answer["decision"]["outcome"] == "allow"
    assert answer["asked_as"] == "without a credential, as the anonymous agent"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--agent", "dve", "--tool", "read_file"], "Agent `dve` is not registered. Registered agents: dev."),
        (["--agent", "dev"], "Give exactly one of --tool, --resource, --prompt, --method."),
        (["--agent", "dev", "--tool", "x", "--prompt", "y"], "Give exactly one of"),
        (["--agent", "dev", "--tool", "x", "--args", "[1]"], "is not a JSON object"),
        (["--agent", "dev", "--tool", "x", "--args", '{"a": 100000000000000000000}'], "an integer is outside"),
        (["--agent", "dev", "--tool", "x", "--args", '{"a": 1, "a": 2}'], "the same key twice"),
        (["--agent", "dev", "--tool", "x", "--at", "noon"], "`noon` is not a valid time"),
    ],
)
def test_ask_says_what_is_wrong_with_the_question(run: Run, repository: Path, words: list[str], said: str) -> None:
    result = run("ask", "-d", repository, "--server", "demo", *words)
    assert result.exit_code in {1, 2}
    assert said in result.stderr


def test_ask_about_a_policy_that_does_not_build_shows_why(run: Run, repository: Path, put: Write) -> None:
    put("bundles/dev/environment.yaml", "name: [\n")
    result = run("ask", "-d", repository, "--agent", "dev", "--server", "demo", "--tool", "x")
    assert result.exit_code == 1
    assert "bundles/dev/environment.yaml:2" in result.stderr
