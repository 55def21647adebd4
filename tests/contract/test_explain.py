"""`explain` on real journals with the real OPA: every change that it names flips the decision when it is made."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import Result
from msgspec.structs import replace

from gateway.admission.decision import Reason
from gateway.artifact.artifact import read_artifact
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.artifact.rejection import Rejected
from gateway.policy.build import Content
from gateway.policy.rules.rule_index import rule_index
from gateway.review.whatif.patched_world import faithful
from tests.hubs import ground, serving
from tests.recorded import records, write

Write = Callable[[str, str], Path]
Explain = Callable[..., dict[str, Any]]
READ: Final = {"tool": "read_file", "arguments": {"path": "welcome.md"}}
SOURCE: Final = {"tool": "write_file", "arguments": {"path": "src/a.py", "content": "x"}}
DELETE: Final = {"tool": "delete_file", "arguments": {"path": "x"}}
UNLISTED: Final[dict[str, Any]] = {"tool": "no_such_tool", "arguments": {}}


@pytest.fixture
def explain(run: Callable[..., Result], content: Callable[[], Content], tmp_path: Path, opa: Path) -> Explain:
    """Record one call under the repository's policy as it is, and explain it by that bundle."""

    def explained(call: dict[str, Any], **masking: Any) -> dict[str, Any]:
        made = content()
        journal = write(tmp_path / "journal", records(made, opa, [call], **masking))
        bundle = tmp_path / "bundle.tar.gz"
        bundle.write_bytes(packed(made))
        result = run("explain", "call-0", "--journal", journal, "--bundle", bundle, "--json")
        assert result.exit_code == 0, result.output
        text = run("explain", "d-0", "--journal", journal, "--bundle", bundle)
        assert text.exit_code == 0, text.output
        return json.loads(result.stdout) | {"text": text.stdout}

    return explained


def packed(made: Content) -> bytes:
    metadata = BundleMetadata(environment="dev", seq=1, commit="c0ffee", author="alice@example.com")
    return pack(made.files, metadata, key=None).content


def flips(told: dict[str, Any]) -> list[tuple[str, ...]]:
    return [tuple(flip["changes"]) for flip in told["explanation"]["searched"]["flips"]]


def unmet(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        each["name"]: each
        for each in told["explanation"]["requirements"]
        if each["met"] is False or each["met_by_arguments"] is False
    }


def test_an_allow_is_explained_by_its_rule_with_file_line_owner_and_commit(explain: Explain) -> None:
    told = explain(READ)
    assert told["notes"] == []
    assert unmet(told) == {}
    (rule,) = told["explanation"]["rules"]
    assert (rule["rule"], rule["effect"], rule["file"], rule["line"]) == (
        "demo-may-be-read",
        "allow",
        "rules/demo.yaml",
        2,
    )
    assert rule["owner"] == "you@example.com"
    assert told["bundle"]["commit"] == "c0ffee"
    assert ("remove rule demo-may-be-read",) in flips(told)
    assert "ALLOWED  call call-0" in told["text"]
    assert "rules/demo.yaml:2, owner you@example.com" in told["text"]
    assert "commit c0ffee by alice@example.com" in told["text"]


def test_a_denial_by_a_rule_needs_that_rule_gone_and_a_permission_and_says_so(explain: Explain) -> None:
    told = explain(DELETE)
    (refused,) = unmet(told).values()
    assert refused["name"] == "rules_permit"
    assert told["explanation"]["rules"][0]["rule"] == "demo-files-are-kept"
    assert told["explanation"]["rules"][0]["line"] == 22
    assert ("set rules_permit to warn (enforcement)",) in flips(told)
    pair = {"add delete to what.actions of rule demo-may-be-read", "remove rule demo-files-are-kept"}
    assert pair in [set(changes) for changes in flips(told)]


def test_the_changes_that_are_named_flip_the_decision_when_they_are_made_in_the_sources(
    explain: Explain, content: Callable[[], Content], repository: Path, opa: Path
) -> None:
    pair = {"add delete to what.actions of rule demo-may-be-read", "remove rule demo-files-are-kept"}
    assert pair in [set(changes) for changes in flips(explain(DELETE))]
    rules = repository / "bundles/dev/rules/demo.yaml"
    wider = rules.read_text().replace("actions: [read, list]", "actions: [read, list, delete]")
    before, _, rest = wider.partition("  - rule: demo-files-are-kept")
    _, _, after = rest.partition("  - rule: ")
    for text, outcome in ((wider, "deny"), (f"{before}  - rule: {after}", "allow")):
        rules.write_text(text)
        assert records(content(), opa, [DELETE])[0].outcome == outcome


def test_a_denial_by_arguments_names_the_argument_that_would_pass(explain: Explain) -> None:
    told = explain(SOURCE)
    (refused,) = unmet(told).values()
    assert (refused["name"], refused["met"], refused["met_by_arguments"]) == ("rules_permit", True, False)
    assert flips(told)[0] == ('argument /path = "notes/a.py", as compared by rule demo-notes-may-be-written',)
    assert '/path: within notes; it was "src/a.py"' in told["text"]


def test_the_exception_of_a_rule_is_shown_in_the_words_of_bundle_diff(explain: Explain, put: Write) -> None:
    excepted = "{who: {claims: {team: [qa]}, source: [10.0.0.0/8]}, arguments: [{path: /path, within: [drafts]}]}"
    rule = f"rule: closed, effect: deny, what: {{servers: [demo]}}, unless: {excepted}, reason: closed"
    put("bundles/dev/rules/closed.yaml", f"rules: [{{{rule}}}]\n")
    text = explain(READ)["text"]
    assert 'unless /path: within drafts; it was "welcome.md"' in text
    assert "unless callers from 10.0.0.0/8, callers whose claim team is qa" in text


def test_a_target_that_is_not_listed_would_pass_once_it_is(explain: Explain) -> None:
    told = explain(UNLISTED)
    assert "target_is_listed" in unmet(told)
    assert ("list no_such_tool of demo in the catalog with the action read",) in flips(told)


def test_a_rule_of_certain_hours_names_the_hour_at_which_it_ends(explain: Explain, put: Write) -> None:
    rule = (
        "{rule: not-now, effect: deny, what: {servers: [demo]}, "
        'when: {hours: "13:00-15:30", time_zone: UTC}, reason: lunch, owner: a@example.com}'
    )
    put("bundles/dev/rules/hours.yaml", f"rules: [{rule}]\n")
    told = explain(READ)
    assert ("at 2026-11-20T15:30:00Z, for the hours of rule not-now",) in flips(told)
    assert ("remove rule not-now",) in flips(told)


def test_a_denial_by_an_own_requirement_shows_what_it_read(explain: Explain, put: Write) -> None:
    put(
        "rego/mcp/requirements/paths_are_short/paths_are_short.rego",
        """
        # METADATA
        # title: Paths are short
        # description: A path has fewer than three characters.
        # custom: {severity: low, remedy: Shorten the path.}
        package mcp.requirements.paths_are_short

        met if true

        met_by_arguments if count(input.arguments.path) < 3

        because contains sprintf("%v is long", [input.arguments.path])
        """,
    )
    put(
        "rego/mcp/requirements/paths_are_short/paths_are_short_test.rego",
        """
        package mcp.requirements.paths_are_short_test

        import data.mcp.requirements.paths_are_short

        test_short if paths_are_short.met_by_arguments with input as {"arguments": {"path": "a"}}
        """,
    )
    told = explain(READ)
    refused = unmet(told)["paths_are_short"]
    assert refused["because"] == ["welcome.md is long"]
    assert refused["values"] == [["arguments.path", "welcome.md"]]
    assert told["explanation"]["rules"] == []
    assert ("set paths_are_short to warn (enforcement)",) in flips(told)


KNOWN = """
    # METADATA
    # title: Recipients are known
    # description: Mail goes to listed domains and away from listed people, in few copies.
    # custom: {severity: low, remedy: Ask for the domain.}
    package mcp.requirements.recipients_are_known

    met if true

    met_by_arguments if {
    \tsplit(input.arguments.to, "@")[1] in data.own.mail.domains
    \tnot input.arguments.to in data.own.mail.away
    \tis_number(input.arguments.copies)
    \tinput.arguments.copies <= data.own.mail.most
    }
    """
KNOWN_TEST = """
    package mcp.requirements.recipients_are_known_test

    import data.mcp.requirements.recipients_are_known

    test_unknown if not recipients_are_known.met_by_arguments with input as {"arguments": {"to": "a@b"}}
    """


@pytest.mark.parametrize(
    ("own", "flip"),
    [
        ("{domains: [a.example], away: [], most: 9}", 'add "example.com" to own.mail.domains'),
        ("{domains: [example.com], away: [bob@example.com], most: 9}", 'remove "bob@example.com" from own.mail.away'),
        ("{domains: [example.com], away: [], most: 1}", "set own.mail.most to 3"),
    ],
)
def test_the_value_of_a_teams_own_data_that_would_let_the_message_pass_is_found(
    explain: Explain, put: Write, own: str, flip: str
) -> None:
    put("rego/mcp/requirements/recipients_are_known/recipients_are_known.rego", KNOWN)
    put("rego/mcp/requirements/recipients_are_known/recipients_are_known_test.rego", KNOWN_TEST)
    put("bundles/dev/data/mail.yaml", f"{own}\n")
    call = {"tool": "send_message", "arguments": {"to": "bob@example.com", "text": "hi", "copies": 3}}
    told = explain(call)
    assert unmet(told).keys() == {"recipients_are_known"}
    assert (flip,) in flips(told)
    assert flip in told["text"]


def test_where_no_change_is_found_that_is_said(explain: Explain) -> None:
    told = explain({"method": "tools/call", "server": "nowhere", "tool": "x", "arguments": {}})
    assert flips(told) == []
    assert "no single change and no pair found" in told["text"]


def test_masking_that_prevents_an_answer_is_said_and_no_change_is_proposed(explain: Explain) -> None:
    told = explain(SOURCE, level="masked", reads=False)
    assert told["explanation"]["masked"] == ["rules_permit"]
    assert told["explanation"]["searched"] is None
    assert (
        "masked values leave the result of these unknown: rules_permit (see `journal.masking`, `journal.keep_read`"
        in told["notes"][0]
    )
    known = {each["name"]: each["met"] for each in told["explanation"]["requirements"]}
    assert known["rules_permit"] is None
    assert known["target_is_listed"] is True


def test_a_record_without_a_question_says_what_was_recorded_and_no_more(explain: Explain) -> None:
    told = explain(DELETE, level="none")
    assert told["explanation"] is None
    assert told["recorded"]["reasons"][0]["requirement"] == "rules_permit"
    assert "no policy input was recorded" in told["notes"][0]
    assert "because rules_permit: Rule `demo-files-are-kept`" in told["text"]


def test_another_policy_than_the_one_that_decided_is_told_apart(
    run: Callable[..., Result], content: Callable[[], Content], repository: Path, put: Write, tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, [DELETE]))
    put("bundles/dev/rules/more.yaml", "rules: [{rule: more, effect: allow, reason: t, owner: a@example.com}]\n")
    rules = repository / "bundles/dev/rules/demo.yaml"
    rules.write_text(rules.read_text().replace("actions: [delete]", "actions: [send]"))
    result = run("explain", "call-0", "--journal", journal, "--policy", repository, "-e", "dev")
    assert "this is not the policy that decided" in result.stdout
    assert "asked again, OPA answers allow: rule " in result.stdout


def test_the_bundle_of_the_recorded_revision_is_found_in_a_hubs_directory(
    run: Callable[..., Result], content: Callable[[], Content], put: Write, tmp_path: Path, opa: Path
) -> None:
    hub = tmp_path / "hub" / "artefacts"
    hub.mkdir(parents=True)
    made = content()
    journal = write(tmp_path / "journal", records(made, opa, [DELETE]))
    put("bundles/dev/rules/more.yaml", "rules: [{rule: more, effect: allow, reason: t, owner: a@example.com}]\n")
    for each in (packed(made), packed(content()), b"no bundle"):
        artifact = read_artifact(each)
        name = "0" * 64 if isinstance(artifact, Rejected) else artifact.digest
        (hub / f"{name}.tar.gz").write_bytes(each)
    (hub / f"{'1' * 64}.tar.gz").write_bytes(packed(made))
    result = run("explain", "call-0", "--journal", journal, "--hub-dir", hub.parent, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["bundle"]["decided"], told["notes"]) == (True, [])
    mistyped = run("explain", "call-0", "--journal", journal, "--hub-dir", tmp_path)
    assert (mistyped.exit_code, "is not a hub's directory" in mistyped.stderr) == (1, True)
    hub.rename(tmp_path / "kept")
    hub.mkdir()
    gone = run("explain", "call-0", "--journal", journal, "--hub-dir", hub.parent)
    assert gone.exit_code == 1
    assert "has revision" in gone.output


def test_where_nothing_says_which_bundle_decided_that_is_asked_for(
    run: Callable[..., Result],
    content: Callable[[], Content],
    tmp_path: Path,
    opa: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, [DELETE]))
    monkeypatch.chdir(tmp_path)
    asked = run("explain", "call-0", "--journal", journal)
    assert (asked.exit_code, "Give its bundle with --bundle" in asked.stderr) == (2, True)
    nowhere = run("explain", "call-0", "--journal", tmp_path / "mistyped")
    assert (nowhere.exit_code, "Name it with --journal DIR" in nowhere.stderr) == (1, True)
    unknown = run("explain", "ffffffff", "--journal", journal)
    assert unknown.stderr.startswith("Error: No decision in this journal begins with 'ffffffff'. It may be in another")


async def test_the_bundle_of_the_recorded_revision_comes_from_a_hub(
    run: Callable[..., Result], content: Callable[[], Content], put: Write, tmp_path: Path, opa: Path
) -> None:
    stage = ground(tmp_path)
    made = content()
    journal = await asyncio.to_thread(lambda: write(tmp_path / "journal", records(made, opa, [DELETE])))
    put("bundles/dev/rules/more.yaml", "rules: [{rule: more, effect: allow, reason: t, owner: a@example.com}]\n")
    words = ("explain", "call-0", "--journal", journal, "--json", "--token-file", stage.token_file("reader"))
    async with serving(stage) as hub:
        unknown = await asyncio.to_thread(run, *words, "--hub", hub.url)
        assert (unknown.exit_code, "was not found in the history" in unknown.output) == (1, True), unknown.output
        for each, seq in ((made, 1), (content(), 2)):
            await hub.publish(pack(each.files, BundleMetadata(environment="dev", seq=seq), key=stage.key).content)
        result = await asyncio.to_thread(run, *words, "--hub", hub.url)
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert (told["bundle"]["decided"], told["notes"]) == (True, [])
        both = await asyncio.to_thread(run, *words, "--hub", hub.url, "--hub-dir", stage.directory)
        assert (both.exit_code, "Give only one source of the bundle" in both.output) == (2, True)


def test_an_emergency_stop_is_told_apart_from_the_policy(
    run: Callable[..., Result], content: Callable[[], Content], tmp_path: Path, opa: Path
) -> None:
    made = content()
    (record,) = records(made, opa, [READ])
    stop = Reason(requirement="nothing_is_stopped", message="agent dev is stopped")
    record = replace(record, outcome="deny", code="policy_denied", reasons=(stop,), requirement=stop.requirement)
    journal = write(tmp_path / "journal", [record])
    (tmp_path / "b.tar.gz").write_bytes(packed(made))
    result = run("explain", "call-0", "--journal", journal, "--bundle", tmp_path / "b.tar.gz")
    assert "an emergency stop refused the call" in result.stdout


def test_a_call_that_is_not_there_and_one_that_is_not_clear_are_told(
    run: Callable[..., Result], content: Callable[[], Content], tmp_path: Path, opa: Path
) -> None:
    journal = write(tmp_path / "journal", records(content(), opa, [READ, DELETE]))
    assert "No decision in this journal begins with 'x'" in run("explain", "x", "--journal", journal).output
    assert "give one of call-0, call-1" in run("explain", "call-", "--journal", journal).output


def test_the_index_that_changes_are_judged_by_is_the_one_that_the_build_makes(content: Callable[[], Content]) -> None:
    data = content().data
    assert faithful(data)
    assert not faithful({**data, "index": {**data["index"], "rules": rule_index({}, {})}})
    assert not faithful({**data, "index": {}})
