"""`explain`, `replay`, `journal export` and `ask` take environment and call from the records themselves."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import Result

from gateway.admission.principal import Principal
from gateway.journal.encryption import new_key
from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.sources.problem import Problems
from tests.recorded import NOW, records, write

Run = Callable[..., Result]
READ: Final = {"tool": "read_file", "arguments": {"path": "welcome.md"}}
DELETE: Final = {"tool": "delete_file", "arguments": {"path": "x"}}
LIST: Final = {"method": "tools/list"}


@pytest.fixture
def production(repository: Path, verified: Path, opa: Path) -> Content:
    """A second environment in the repository, in which `dev` may not read."""
    directory = repository / "bundles" / "production"
    shutil.copytree(repository / "bundles" / "dev", directory)
    environment = directory / "environment.yaml"
    environment.write_text(environment.read_text().replace("name: dev", "name: production"))
    shutil.rmtree(directory / "scenarios", ignore_errors=True)
    (directory / "rules" / "no.yaml").write_text(
        "rules:\n  - {rule: nobody-reads, effect: deny, what: {tools: [read_file]}, reason: closed, owner: a@x.org}\n"
    )
    found = Builder(verified, opa).content(PolicySource(repository, "production"), NOW)
    assert not isinstance(found, Problems), found
    return found


@pytest.fixture
def journal(production: Content, opa: Path, tmp_path: Path) -> Path:
    return write(tmp_path / "journal", records(production, opa, [READ, DELETE, LIST]))


def explained(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_explain_uses_the_environment_of_the_record(run: Run, repository: Path, journal: Path) -> None:
    told = explained(run("explain", "call-0", "--journal", journal, "--policy", repository, "--json"))
    assert "nobody-reads" in json.dumps(told["explanation"]["rules"])
    assert told["bundle"]["revision"].startswith("production@")


def test_explain_uses_the_environment_of_the_record_with_settings_of_another(
    run: Run, repository: Path, journal: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"policy: {{directory: {repository}, environment: dev}}\njournal: {{directory: {journal}}}\n")
    told = explained(run("explain", "call-0", "--config", settings, "--json"))
    assert told["bundle"]["revision"].startswith("production@")


def test_replay_and_export_use_the_environment_of_the_records(
    run: Run, repository: Path, journal: Path, tmp_path: Path
) -> None:
    report = explained(run("replay", "--policy", repository, "--journal", journal, "--format", "json"))
    assert (report["replayed"], report["flips"]) == (3, [])
    key = new_key()
    corpus, secret = tmp_path / "corpus.age", tmp_path / "key"
    secret.write_text(key.private)
    words = ("--policy", repository, "--to-key", key.public, "-o", corpus)
    exported = run("journal", "export", "--journal", journal, *words)
    assert exported.exit_code == 0, exported.output
    of_corpus = run("replay", "--policy", repository, "--journal", corpus, "--key-file", secret, "--format", "json")
    assert explained(of_corpus)["flips"] == []


def test_records_of_several_environments_need_one_to_be_named(
    run: Run, repository: Path, journal: Path, content: Callable[[], Content], opa: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "other", records(content(), opa, [READ]))
    both = ("replay", "--policy", repository, "--journal", journal, "--journal", other)
    result = run(*both)
    assert result.exit_code == 2
    assert "with --environment: the records are of several (dev, production)" in result.stderr
    assert run(*both, "-e", "production", "--format", "json").exit_code in {0, 1}


def test_ask_asks_again_what_was_recorded(run: Run, repository: Path, journal: Path) -> None:
    asking = ("ask", "-d", repository, "--journal", journal, "--call")
    denied = run(*asking, "call-0")
    assert denied.stdout.startswith("deny  dev → demo read_file (read)\n"), denied.output
    assert "rule nobody-reads" in denied.stdout
    assert run(*asking, "call-0", "-e", "dev").stdout.startswith("allow  dev → demo read_file")
    assert run(*asking, "call-1").stdout.startswith("deny  dev → demo delete_file")
    assert run(*asking, "d-2").stdout.startswith("allow  dev → demo tools/list")


def test_ask_does_not_invent_masked_arguments(
    run: Run, repository: Path, production: Content, opa: Path, tmp_path: Path
) -> None:
    journal = write(tmp_path / "masked", records(production, opa, [READ], level="masked"))
    asking = ("ask", "-d", repository, "--journal", journal, "--call", "call-0")
    result = run(*asking)
    assert result.exit_code == 1
    assert "The arguments of this call are masked in the journal (`journal.masking: masked`)" in result.stderr
    assert run(*asking, "--args", '{"path": "welcome.md"}').stdout.startswith("deny")


PERSON: Final = """
    agents:
      - agent: person
        owner: a@example.com
        purpose: tests
        kind: claude-code
        identities: [{issuer: "https://idp.example", client_id: ide}]
    """
OF_PEOPLE: Final = """
    rules:
      - rule: sales-write-from-the-office
        effect: allow
        who: {subjects: [alice], claims: {department: [sales]}, source: [10.0.0.0/8]}
        what: {servers: [demo], tools: [write_file]}
        reason: sales writes
        owner: a@example.com
      - rule: contractors-do-not-read
        effect: deny
        who: {groups: [contractors]}
        what: {servers: [demo], tools: [read_file]}
        reason: closed
    """
ALICE: Final = Principal(
    kind="user",
    method="jwt",
    issuer="https://idp.example",
    subject="alice",
    client_id="ide",
    unknown=["groups"],
    claims={"department": "sales", "cost_center": "of nobody else"},
)
WRITE: Final = {"tool": "write_file", "arguments": {"path": "src/a.py", "content": "x"}, "from": "10.1.2.3"}


def test_ask_asks_again_for_the_same_caller(
    run: Run,
    repository: Path,
    put: Callable[[str, str], Path],
    content: Callable[[], Content],
    opa: Path,
    tmp_path: Path,
) -> None:
    put("bundles/dev/agents/person.yaml", PERSON)
    put("bundles/dev/rules/people.yaml", OF_PEOPLE)
    journal = write(tmp_path / "journal", records(content(), opa, [READ, WRITE], principal=ALICE))
    asking = ("ask", "-d", repository, "--journal", journal, "--call")
    unknown = run(*asking, "call-0")
    assert unknown.stdout.startswith("deny  person → demo read_file"), unknown.output
    assert "The groups could not be read from the token" in unknown.stdout
    assert run(*asking, "call-0", "--group", "staff").stdout.startswith("allow  person → demo read_file")
    assert run(*asking, "call-1").stdout.startswith("allow  person → demo write_file")
    for other in (("--subject", "bob"), ("--claim", "department=legal"), ("--from", "192.0.2.1")):
        assert run(*asking, "call-1", *other).stdout.startswith("deny  person → demo write_file"), other


def test_ask_takes_a_masked_claim_for_unknown(
    run: Run,
    repository: Path,
    put: Callable[[str, str], Path],
    content: Callable[[], Content],
    opa: Path,
    tmp_path: Path,
) -> None:
    put("bundles/dev/agents/person.yaml", PERSON)
    put("bundles/dev/rules/people.yaml", OF_PEOPLE)
    journal = write(tmp_path / "masked", records(content(), opa, [WRITE], principal=ALICE, level="masked"))
    asking = ("ask", "-d", repository, "--journal", journal, "--call", "call-0", "--args", '{"path": "src/a.py"}')
    assert run(*asking).stdout.startswith("allow  person → demo write_file")
    others = "who: {claims: {cost_center: [x]}}, what: {servers: [demo]}, reason: closed"
    put("bundles/dev/rules/more.yaml", f"rules: [{{rule: more, effect: deny, {others}}}]\n")
    refused = run(*asking)
    assert refused.stdout.startswith("deny  person → demo write_file"), refused.output
    assert "The claim `cost_center` could not be read" in refused.stdout
    assert run(*asking, "--claim", "cost_center=y").stdout.startswith("allow  person → demo write_file")


def test_ask_about_a_call_takes_no_other_question(run: Run, repository: Path, journal: Path) -> None:
    result = run("ask", "-d", repository, "--journal", journal, "--call", "call-0", "--tool", "x", "--agent", "dev")
    assert result.exit_code == 2
    assert "--call already defines the question: remove --agent, --tool." in result.stderr


@pytest.mark.parametrize(
    ("tool", "words", "code"),
    [
        ("read_file", [], 0),
        ("read_file", ["--exit-code"], 0),
        ("delete_file", [], 0),
        ("delete_file", ["--exit-code"], 1),
        ("delete_file", ["--exit-code", "--json"], 1),
    ],
)
def test_ask_exits_with_1_on_a_denial_if_asked(
    run: Run, repository: Path, tool: str, words: list[str], code: int
) -> None:
    asking = ("ask", "-d", repository, "--agent", "dev", "--server", "demo", "--tool", tool)
    result = run(*asking, "--args", '{"path": "x"}', *words)
    assert result.exit_code == code, result.output
    assert "allow" in result.stdout or "deny" in result.stdout
