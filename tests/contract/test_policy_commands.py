"""`check`, `build` and `ask` as a person runs them, on a policy repository with the stock library."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

Write = Callable[[str, str], Path]
Run = Callable[..., Result]


def test_check_is_silent_but_for_a_summary_where_all_is_in_order(run: Run, repository: Path) -> None:
    result = run("check", repository)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("dev: 11 requirements, 1 server, 1 agent, 5 rules, ")
    assert result.stderr.endswith("no problems\n")


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


def test_check_runs_the_scenarios(run: Run, repository: Path, put: Write) -> None:
    put("bundles/dev/rules/more.yaml", "rules:\n  - rule: more\n    effect: deny\n    what: {tools: [read_file]}\n")
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
    assert "is reached by its tests to 0 %" in result.stdout
    assert "is reached" not in run("check", repository, "--coverage", 0).stdout


def test_check_of_one_environment_leaves_the_others_alone(run: Run, repository: Path, put: Write) -> None:
    put("bundles/staging/environment.yaml", "name: production\n")
    assert run("check", repository, "-e", "dev").exit_code == 0
    assert run("check", repository, "-e", "staging").exit_code == 1
    assert "is not there" in run("check", repository, "-e", "absent").stdout


def test_check_without_an_environment_says_what_to_do(run: Run, tmp_path: Path) -> None:
    result = run("check", tmp_path)
    assert result.exit_code == 1
    assert "mcp-admission init" in result.stderr


def test_build_writes_the_same_bytes_twice_and_prints_the_revision(run: Run, repository: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "one.tar.gz", tmp_path / "two.tar.gz"]
    results = [run("build", repository, "-e", "dev", "--sequence", 7, "-o", output) for output in outputs]
    assert [result.exit_code for result in results] == [0, 0]
    assert results[0].stdout.startswith("dev@")
    assert results[0].stdout.endswith(".7\n")
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_build_signs_with_the_key(run: Run, repository: Path, tmp_path: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key, output = tmp_path / "key.pem", tmp_path / "bundle.tar.gz"
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    result = run("build", repository, "-e", "dev", "--sequence", 7, "-o", output, "--signing-key", key)
    assert result.exit_code == 0, result.output
    assert "signed with key " in result.stderr


def test_build_with_something_else_for_a_key_says_so(run: Run, repository: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("no key")
    result = run("build", repository, "-e", "dev", "--sequence", 7, "-o", tmp_path / "x", "--signing-key", key)
    assert result.exit_code == 1
    assert "is no signing key" in result.stderr


def test_a_refused_build_writes_nothing(run: Run, repository: Path, put: Write, tmp_path: Path) -> None:
    put("bundles/dev/environment.yaml", "name: prod\n")
    result = run("build", repository, "-e", "dev", "--sequence", 7, "-o", tmp_path / "x")
    assert result.exit_code == 1
    assert "bundles/dev/environment.yaml:1" in result.stderr
    assert not (tmp_path / "x").exists()


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
        (["--agent", "dve", "--tool", "read_file"], "no agent is called `dve`; known: dev."),
        (["--agent", "dev"], "Name one of --tool, --resource, --prompt, --method."),
        (["--agent", "dev", "--tool", "x", "--prompt", "y"], "Name one of"),
        (["--agent", "dev", "--tool", "x", "--args", "[1]"], "is no JSON object"),
        (["--agent", "dev", "--tool", "x", "--at", "noon"], "`noon` is no time"),
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
