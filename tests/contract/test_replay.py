"""`replay` and `journal export` on real journals, with the real OPA, on candidates that loosen and tighten."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import Result
from msgspec.structs import replace

from gateway.admission.decision import Reason
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.artifact.signing import ephemeral_key
from gateway.journal.segment_names import segments
from gateway.opa.runtime_dir import PREFIX
from gateway.policy.build import Content
from tests.recorded import records, write

Write = Callable[[str, str], Path]
Run = Callable[..., Result]
READ: Final = {"tool": "read_file", "arguments": {"path": "welcome.md"}}
NOTE: Final = {"tool": "write_file", "arguments": {"path": "notes/a.md", "content": "x"}}
SOURCE: Final = {"tool": "write_file", "arguments": {"path": "src/a.py", "content": "x"}}
MAIL: Final = {"tool": "send_message", "arguments": {"to": "bob@rival.example", "text": "hello"}}
DELETE: Final = {"tool": "delete_file", "arguments": {"path": "x"}}
CALLS: Final = (READ, NOTE, SOURCE, MAIL, DELETE)


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[[Content], Path]:
    """A bundle file of a content, signed by somebody whom nobody here knows."""

    def packed(content: Content) -> Path:
        place = tmp_path / f"{content.identity}.tar.gz"
        metadata = BundleMetadata(environment="dev", seq=2, commit="c0ffee")
        place.write_bytes(pack(content.files, metadata, key=ephemeral_key()).content)
        return place

    return packed


@pytest.fixture
def loosened(content: Callable[[], Content], repository: Path, bundle: Callable[[Content], Path]) -> Callable[[], Path]:
    """The bundle of the demo policy in which deleting is allowed."""

    def made() -> Path:
        rules = repository / "bundles/dev/rules/demo.yaml"
        text = rules.read_text()
        rules.write_text(
            text.replace("rule: demo-files-are-kept\n    effect: deny", "rule: may-delete\n    effect: allow")
        )
        assert rules.read_text() != text
        return bundle(content())

    return made


def replayed(run: Run, *words: object) -> tuple[int, dict[str, Any]]:
    result = run("replay", "--format", "json", *words)
    assert result.exit_code in {0, 1}, result.output
    return result.exit_code, json.loads(result.stdout)


def test_the_same_policy_decides_as_it_did(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, CALLS))
    code, report = replayed(run, "--bundle", bundle(content()), "--journal", journal)
    assert code == 0
    assert (report["passes"], report["replayed"], report["flips"]) == (True, 5, [])
    assert report["outcomes"]["allow"] == {"allow": 2, "hold": 0, "deny": 0}
    assert report["outcomes"]["deny"] == {"allow": 0, "hold": 0, "deny": 3}
    assert report["candidate"]["commit"] == "c0ffee"


def test_a_loosening_that_nobody_expects_fails_and_names_both_rules(
    run: Run, content: Callable[[], Content], loosened: Callable[[], Path], tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, CALLS))
    code, report = replayed(run, "--bundle", loosened(), "--journal", journal)
    assert code == 1
    assert report["failures"] == ["1 refused or held decisions would be allowed, but no expected change explains them."]
    (flip,) = report["flips"]
    assert (flip["from"], flip["to"], flip["server"], flip["target"]) == ("deny", "allow", "demo", "delete_file")
    assert (flip["before"]["rule"], flip["before"]["requirement"]) == ("demo-files-are-kept", "rules_permit")
    assert (flip["after"]["rule"], flip["example"]["call_id"]) == ("may-delete", "call-4")


def test_a_loosening_that_is_expected_passes_and_says_by_whom(
    run: Run, content: Callable[[], Content], loosened: Callable[[], Path], tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, CALLS))
    expected = tmp_path / "expected-changes.yaml"
    entry = "{from: deny, to: allow, rule: demo-files-are-kept, owner: a@example.com, reason: Files may go}"
    expected.write_text(f"changes:\n  - {entry}\n  - {entry.replace('deny', 'hold')}\n")
    candidate = loosened()
    code, report = replayed(run, "--bundle", candidate, "--journal", journal, "--expected", expected)
    assert code == 0
    assert report["flips"][0]["explained_by"]["owner"] == "a@example.com"
    assert report["expected"]["unused"] == [f"{expected}:3"]
    expected.write_text(f"changes:\n  - {entry.replace('owner: a@example.com, ', '')}\n")
    code, report = replayed(run, "--bundle", candidate, "--journal", journal, "--expected", expected)
    assert code == 1
    assert "lacks `owner`" in report["expected"]["problems"][0]


def test_a_tightening_is_shown_and_passes(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], put: Write, tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, CALLS))
    rule = "rules: [{rule: nothing-is-read, effect: deny, what: {actions: [read]}, reason: test, owner: a@example.com}]"
    put("bundles/dev/rules/more.yaml", rule + "\n")
    code, report = replayed(run, "--bundle", bundle(content()), "--journal", journal)
    assert code == 0
    (flip,) = report["flips"]
    assert (flip["from"], flip["to"], flip["loosens"], flip["after"]["rule"]) == (
        "allow",
        "deny",
        False,
        "nothing-is-read",
    )


def test_a_policy_directory_is_a_candidate_too(
    run: Run, content: Callable[[], Content], repository: Path, tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, [READ]))
    code, report = replayed(run, "--policy", repository, "-e", "dev", "--journal", journal)
    assert (code, report["replayed"]) == (0, 1)
    assert report["candidate"]["revision"].startswith("dev@")


def test_by_default_a_masked_journal_keeps_what_the_policy_read_and_nothing_else_of_the_arguments(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, CALLS, level="masked"))
    written = b"".join(path.read_bytes() for _, path in segments(journal))
    assert b"hello" not in written
    code, report = replayed(run, "--bundle", bundle(content()), "--journal", journal)
    assert (code, report["replayed"], report["not_replayed"]) == (0, 5, {})


def test_masked_arguments_are_replayed_only_where_the_candidate_does_not_compare_them(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], tmp_path: Path, opa: Path
) -> None:
    elsewhere = {"tool": "read_file", "arguments": {"name": "welcome.md"}}
    masked = records(content(), opa, [*CALLS, elsewhere], level="masked", reads=False)
    journal = write(tmp_path / "journal", masked)
    code, report = replayed(run, "--bundle", bundle(content()), "--journal", journal)
    assert code == 0
    assert report["replayed"] == 1
    assert report["not_replayed"]["masked"]["count"] == 5


def test_arguments_that_masking_keeps_make_their_decisions_replayable(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], tmp_path: Path, opa: Path
) -> None:
    kept = records(content(), opa, CALLS, level="masked", kept=("/path", "/to"), reads=False)
    journal = write(tmp_path / "journal", kept)
    written = b"".join(path.read_bytes() for _, path in segments(journal))
    assert b"hello" not in written
    code, report = replayed(run, "--bundle", bundle(content()), "--journal", journal)
    assert (code, report["replayed"], report["not_replayed"]) == (0, 5, {})


def test_a_candidate_that_reads_more_cannot_be_judged_by_what_was_kept_before(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], put: Write, tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, CALLS, level="masked"))
    condition = "arguments: [{path: /content, prefix: secret}]"
    rule = (
        f"{{rule: no-secrets, effect: deny, what: {{servers: [demo]}}, {condition}, reason: t, owner: a@example.com}}"
    )
    put("bundles/dev/rules/more.yaml", f"rules: [{rule}]\n")
    code, report = replayed(run, "--bundle", bundle(content()), "--journal", journal)
    assert code == 0
    assert (report["replayed"], report["not_replayed"]["masked"]["count"]) == (3, 2)


def test_what_cannot_be_replayed_is_counted_with_its_reason_and_a_replay_of_nothing_fails(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], tmp_path: Path, opa: Path
) -> None:
    (none,) = records(content(), opa, [READ], level="none")
    (stopped,) = records(content(), opa, [DELETE])
    stopped = replace(stopped, reasons=(Reason(requirement="nothing_is_stopped", message="stopped"),))
    failed = replace(stopped, reasons=(), outcome="deny", code="policy_unavailable")
    journal = write(tmp_path / "journal", [none, stopped, failed, failed])
    code, report = replayed(run, "--bundle", bundle(content()), "--journal", journal)
    assert (code, report["replayed"]) == (1, 0)
    assert {why: told["count"] for why, told in report["not_replayed"].items()} == {
        "no_input": 1,
        "stopped": 1,
        "no_decision": 2,
    }
    assert report["failures"] == ["No decision could be replayed, so the replay proves nothing."]
    code, _ = replayed(run, "--bundle", bundle(content()), "--journal", journal, "--allow-nothing")
    assert code == 0


REQUIREMENT: Final = """\
# METADATA
# title: Paths are short
# description: A path has fewer than a hundred characters.
# custom: {severity: low, remedy: Shorten the path.}
package mcp.requirements.paths_are_short

met if true

met_by_arguments if count(input.arguments.path) < 100
"""
REQUIREMENT_TEST: Final = """\
package mcp.requirements.paths_are_short_test

import data.mcp.requirements.paths_are_short

test_a_short_path if paths_are_short.met_by_arguments with input as {"arguments": {"path": "a"}}

test_met if paths_are_short.met with input as {}
"""


@pytest.mark.parametrize(
    ("argument", "reads"),
    [("input.arguments.path", ["/arguments/path", "/arguments/to"]), ('input.arguments["pa.th"]', ["/arguments"])],
)
def test_what_an_own_requirement_reads_is_kept_and_replayed_also_under_a_name_with_a_dot(
    run: Run,
    content: Callable[[], Content],
    bundle: Callable[[Content], Path],
    put: Write,
    tmp_path: Path,
    opa: Path,
    argument: str,
    reads: list[str],
) -> None:
    for name, text in (("paths_are_short", REQUIREMENT), ("paths_are_short_test", REQUIREMENT_TEST)):
        changed = text.replace("input.arguments.path", argument).replace('{"path": "a"}', '{"path": "a", "pa.th": "a"}')
        put(f"rego/mcp/requirements/paths_are_short/{name}.rego", changed)
    made = content()
    assert made.data["index"]["reads"]["demo"] == reads
    call = {"tool": "read_file", "arguments": {"path": "welcome.md", "pa.th": "x"}}
    journal = write(tmp_path / "journal", records(made, opa, [call], level="masked"))
    code, report = replayed(run, "--bundle", bundle(made), "--journal", journal)
    assert (code, report["replayed"], report["not_replayed"]) == (0, 1, {})


def test_an_evaluation_error_of_the_candidate_is_a_denial_that_is_shown(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], put: Write, tmp_path: Path, opa: Path
) -> None:
    number = {"tool": "read_file", "arguments": {"path": 7}}
    journal = write(tmp_path / "journal", records(content(), opa, [READ, number]))
    put("rego/mcp/requirements/paths_are_short/paths_are_short.rego", REQUIREMENT)
    put("rego/mcp/requirements/paths_are_short/paths_are_short_test.rego", REQUIREMENT_TEST)
    code, report = replayed(run, "--bundle", bundle(content()), "--journal", journal)
    assert code == 0
    assert report["outcomes"]["allow"] == {"allow": 1, "hold": 0, "deny": 1}
    ((told, count),) = report["errors"].items()
    assert (count, told.startswith("policy_error: eval_type_error")) == (1, True), told


def test_a_candidate_that_would_reach_the_network_never_runs(
    run: Run, content: Callable[[], Content], tmp_path: Path, opa: Path
) -> None:
    made = content()
    rego = b'package mcp.lib.own.spy\n\nspied := http.send({"method": "GET", "url": "http://127.0.0.1/"})\n'
    files = {**made.files, "mcp/lib/own/spy/spy.rego": rego}
    candidate = tmp_path / "spy.tar.gz"
    candidate.write_bytes(pack(files, BundleMetadata(environment="dev", seq=2), key=None).content)
    journal = write(tmp_path / "journal", records(made, opa, [READ]))
    result = run("replay", "--bundle", candidate, "--journal", journal)
    assert result.exit_code == 1
    assert "http.send" in result.output


def test_a_corpus_for_ci_replays_like_its_journal(
    run: Run, content: Callable[[], Content], loosened: Callable[[], Path], tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, [*CALLS, *CALLS, READ]))
    public = run("journal", "keygen", "-o", tmp_path / "ci.key").stdout.strip()
    corpus = tmp_path / "corpus.age"
    result = run("journal", "export", "--journal", journal, "--to-key", public, "-o", corpus)
    assert result.exit_code == 0, result.output
    assert "5 questions for 11 decisions" in result.stdout
    assert stat.S_IMODE((tmp_path / "ci.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(corpus.stat().st_mode) == 0o600
    assert b"rival" not in corpus.read_bytes()
    candidate = loosened()
    code, report = replayed(run, "--bundle", candidate, "--journal", corpus, "--key-file", tmp_path / "ci.key")
    assert (code, report["replayed"], report["flips"][0]["count"]) == (1, 11, 2)
    without = run("replay", "--bundle", candidate, "--journal", corpus)
    assert without.exit_code == 1
    assert "--key-file" in without.output


def test_export_prints_the_share_of_each_requirement_and_what_masking_should_keep(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, CALLS, level="masked", reads=False))
    public = run("journal", "keygen", "-o", tmp_path / "ci.key").stdout.strip()
    words = ("--to-key", public, "-o", tmp_path / "c.age", "--bundle", bundle(content()))
    told = run("journal", "export", "--journal", journal, *words).stdout
    assert "0.0%          0 of 5  rules_permit" in told
    assert "100.0%          5 of 5  server_is_listed" in told
    assert "0.0%          0 of 5  (whole decisions)" in told
    assert "The rules compare these arguments: /path, /to." in told
    assert "journal.keep_arguments" in told


def test_the_report_goes_to_a_file_and_the_verdict_to_the_person(
    run: Run, content: Callable[[], Content], loosened: Callable[[], Path], tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, CALLS))
    words = ("replay", "--bundle", loosened(), "--journal", journal, "--format", "markdown", "-o")
    result = run(*words, tmp_path / "report.md")
    assert result.exit_code == 1
    assert "no expected change explains them" in result.stderr
    assert "- **deny → allow**, 1 times: `dev` on `demo` `delete_file`" in (tmp_path / "report.md").read_text()
    assert "cannot be written" in run(*words, tmp_path / "no" / "report.md").output


def test_nothing_is_left_behind(
    run: Run, content: Callable[[], Content], bundle: Callable[[Content], Path], tmp_path: Path, opa: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    journal = write(tmp_path / "journal", records(content(), opa, [READ]))
    candidate = bundle(content())
    (tmp_path / "t").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    assert run("replay", "--bundle", candidate, "--journal", journal).exit_code == 0
    assert list((tmp_path / "t").glob(f"{PREFIX}*")) == []
