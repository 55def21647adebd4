"""Rules about people decide as they are written, in scenarios, in `ask` and for tokens with a real signature."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.policy.build import Content
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import failed

Write = Callable[[str, str], Path]
Run = Callable[..., Any]
NOW: Final = 1_795_000_000.0
ISSUER: Final = "https://idp.example.com"
AGENTS: Final = f"""
    agents:
      - agent: claude
        owner: o
        purpose: p
        kind: claude-code
        identities: [{{issuer: {ISSUER}, group: engineers}}]
      - agent: reporter
        owner: o
        purpose: p
        kind: own
        tokens: [{{sha256: "{"1" * 64}", holder: h}}]
    """
RULES: Final = f"""
    rules:
      - rule: all-read
        effect: allow
        who: {{agents: [claude, reporter]}}
        what: {{servers: [demo], tools: [read_file]}}
      - rule: alice-writes
        effect: allow
        who: {{subjects: ["{ISSUER}#alice"]}}
        what: {{servers: [demo], tools: [write_file]}}
        reason: Alice keeps the notes.
        owner: o
      - rule: interns-do-not-read
        effect: deny
        who: {{claims: {{employee_type: [intern], /realm_access/roles: [trainee]}}}}
        what: {{servers: [demo], tools: [read_file]}}
        reason: Interns ask a colleague.
      - rule: one-client-waits
        effect: hold
        who: {{client_ids: [beta-ide]}}
        what: {{tools: [read_file]}}
        reason: The client is on trial.
      - {{rule: not-from-the-guests, effect: deny, who: {{source: [192.0.2.0/24]}}, reason: Guests do not work here.}}
    """
STAFF: Final = "claims: {employee_type: staff, realm_access: {roles: [trainee]}}"


@pytest.fixture
def told(put: Write, content: Callable[[], Content], opa: Path) -> Callable[[str], list[str]]:
    """Return the problems of one scenario, stated in one line."""
    put("bundles/dev/agents/people.yaml", AGENTS)
    put("bundles/dev/rules/people.yaml", RULES)

    def run(*entries: str) -> list[str]:
        lines = [
            f"  - {{scenario: s{number}, server: demo, arguments: {{path: a}}, {each}}}\n"
            for number, each in enumerate(entries)
        ]
        put("bundles/dev/scenarios/demo.yaml", "scenarios:\n" + "".join(lines))
        return [str(problem) for problem in failed(content(), OpaCommand(opa), NOW)]

    return run


READ: Final = "agent: claude, tool: read_file"
NO_CLAIMS: Final = "principal: {subject: bob}"


def test_scenarios_state_people_and_addresses(told: Callable[..., list[str]]) -> None:
    intern = "employee_type: intern, realm_access: {roles: [trainee, user]}"
    assert (
        told(
            f"{READ}, principal: {{{STAFF}}}, want: allow, because: all-read",
            f"{READ}, principal: {{claims: {{{intern}}}}}, want: deny, because: interns-do-not-read",
            f"{READ}, principal: {{claims: {{employee_type: intern, realm_access: {{roles: [user]}}}}}}, want: allow",
            f"{READ}, principal: {{claims: {{employee_type: intern}}}}, want: deny, because: interns-do-not-read",
            f"{READ}, {NO_CLAIMS}, want: deny, because: interns-do-not-read",
            "agent: reporter, tool: read_file, want: allow, because: all-read",
            "agent: reporter, tool: read_file, from: 192.0.2.7, want: deny, because: not-from-the-guests",
            'agent: reporter, tool: read_file, from: "::ffff:192.0.2.7", want: deny, because: not-from-the-guests',
            "agent: reporter, tool: read_file, from: 192.0.3.7, want: allow",
            f"{READ}, principal: {{client_id: beta-ide, {STAFF}}}, want: hold, because: one-client-waits",
            f"{READ}, unknown: [client_id], principal: {{{STAFF}}}, want: hold, because: one-client-waits",
            "agent: claude, tool: write_file, principal: {subject: alice}, want: allow, because: alice-writes",
            "agent: claude, tool: write_file, principal: {subject: bob}, want: deny, because: rules_permit",
            "agent: claude, tool: write_file, unknown: [subject], want: deny, because: rules_permit",
            "agent: reporter, tool: write_file, want: deny, because: rules_permit",
        )
        == []
    )


def test_the_reason_says_that_a_claim_could_not_be_read(told: Callable[..., list[str]]) -> None:
    (said,) = told(f"{READ}, {NO_CLAIMS}, want: allow")
    assert "Rule `interns-do-not-read` (it depends on who the caller is. The claim `" in said
    assert "could not be read from the token: its issuer must add it" in said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            "agent: reporter, tool: read_file, principal: {subject: x}, want: deny",
            "no identity of the agent `reporter`",
        ),
        (
            f"{READ}, principal: {{issuer: https://other.example}}, want: deny",
            "no identity of the agent `claude` matches",
        ),
        (f"{READ}, principal: {{claims: {{sub: x}}}}, want: deny", "has the claim `sub`"),
    ],
)
def test_a_scenario_of_a_caller_that_cannot_be_is_a_problem(
    told: Callable[..., list[str]], entry: str, said: str
) -> None:
    (problem,) = told(entry)
    assert said in problem


def test_ask_states_people_and_addresses(run: Run, repository: Path, put: Write) -> None:
    put("bundles/dev/agents/people.yaml", AGENTS)
    put("bundles/dev/rules/people.yaml", RULES)
    asking = ("ask", "-d", repository, "--agent", "claude", "--server", "demo", "--tool", "read_file")
    asking = (*asking, "--args", '{"path": "a"}')
    staff = ("--claim", "employee_type=staff")
    assert run(*asking, *staff).stdout.startswith("allow  claude"), run(*asking, *staff).output
    intern = ("--claim", "employee_type=intern", "--claim", 'realm_access={"roles": ["trainee"]}')
    assert "because: rules_permit (medium): Rule `interns-do-not-read`: Interns" in run(*asking, *intern).stdout
    assert run(*asking, *staff, "--client-id", "beta-ide").stdout.startswith("hold")
    assert run(*asking, *staff, "--from", "192.0.2.9").stdout.startswith("deny")
    alice = run(*asking[:-4], "--tool", "write_file", "--subject", "alice", "--issuer", ISSUER, "--json")
    assert json.loads(alice.stdout)["decision"]["outcome"] == "allow"
    for words, said in (
        (("--claim", "x"), "`x` is not a valid claim"),
        (("--from", "office"), "`office` is not a valid IP address"),
        (("--issuer", "https://other.example"), "no identity of the agent `claude` matches it"),
    ):
        refused = run(*asking, *words)
        assert refused.exit_code != 0
        assert said in refused.output


def test_bundle_diff_says_people(run: Run, repository: Path, put: Write, tmp_path: Path) -> None:
    def build(name: str) -> Path:
        assert run("bundle", "build", "dev", "--policy", repository, "-o", tmp_path / name).exit_code == 0
        return tmp_path / name

    put("bundles/dev/agents/people.yaml", AGENTS)
    put("bundles/dev/rules/people.yaml", RULES)
    before = build("before.tar.gz")
    put("bundles/dev/rules/people.yaml", RULES.replace("[intern]", "[intern, guest]").replace("[beta-ide]", "[beta]"))
    shown = run("bundle", "diff", before, build("after.tar.gz")).stdout
    assert (
        "tightens    rule interns-do-not-read now also concerns callers whose claim employee_type is guest\n" in shown
    )
    assert "loosens     rule one-client-waits no longer concerns client id beta-ide\n" in shown
