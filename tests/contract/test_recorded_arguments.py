"""What the catalog wants recorded of arguments, from the YAML through the real OPA to the journal and the auditor."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import Result

from gateway.admission.record import Decided
from gateway.admission.record_masking import Level
from gateway.journal.encryption import Recipients, encrypted, new_key, recipients
from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.sources.problem import Problems
from tests.recorded import records, write

Run = Callable[..., Result]
ARGUMENTS: Final = {"to": "bob@rival.example", "text": "quarterly figures"}
MAIL: Final = {"tool": "send_message", "arguments": ARGUMENTS}
READ: Final = {"tool": "read_file", "arguments": {"path": "welcome.md"}}
TARGET: Final = "send_message: {action: send, tags: [chat]}"


def say(repository: Path, *, target: str = "", server: str = "") -> None:
    """State what is recorded, in the catalog of the demo."""
    catalog = repository / "bundles/dev/catalog/demo.yaml"
    text = catalog.read_text()
    if target:
        text = text.replace(TARGET, TARGET.replace("}", f", record: {{arguments: {target}}}}}"))
    if server:
        text = text.replace("trust: low\n", f"trust: low\nrecord: {{arguments: {server}}}\n")
    assert text != catalog.read_text()
    catalog.write_text(text)


@pytest.fixture
def decided(content: Callable[[], Content], opa: Path) -> Callable[..., list[Decided]]:
    def made(level: Level = "full", **more: Any) -> list[Decided]:
        return records(content(), opa, [MAIL, READ], level=level, **more)

    return made


def arguments(record: Decided) -> Any:
    return record.input.arguments if record.input is not None else None


def test_without_a_word_of_the_catalog_the_settings_say_what_is_recorded(
    decided: Callable[..., list[Decided]],
) -> None:
    assert [arguments(record) for record in decided()] == [ARGUMENTS, {"path": "welcome.md"}]


def test_the_word_of_a_target_goes_before_that_of_its_server(
    decided: Callable[..., list[Decided]], repository: Path
) -> None:
    say(repository, target="digest")
    assert [arguments(record) for record in decided()] == [None, {"path": "welcome.md"}]
    say(repository, server="masked")
    mail, read = decided()
    assert (arguments(mail), mail.masking, read.masking) == (None, "none", "masked")


def test_an_auditor_reads_what_was_recorded_in_full_and_nobody_else(
    decided: Callable[..., list[Decided]], repository: Path, tmp_path: Path, run: Run
) -> None:
    say(repository, target="full")
    pair, stranger = new_key(), new_key()
    to = recipients(pair.public)
    assert isinstance(to, Recipients)
    mail, read = decided("masked", seal=partial(encrypted, to=to), reads=False)
    journal = write(tmp_path / "journal", [mail, read])
    lines = b"".join(path.read_bytes() for path in journal.glob("*.jsonl"))
    assert b"quarterly" not in lines
    for name, key in (("auditor", pair), ("stranger", stranger)):
        (tmp_path / name).write_text(key.private)
    shown = run("journal", "arguments", mail.call_id, "--journal", journal, "--key-file", tmp_path / "auditor")
    assert (shown.exit_code, json.loads(shown.stdout)) == (0, ARGUMENTS), shown.output
    closed = run("journal", "arguments", mail.call_id, "--journal", journal, "--key-file", tmp_path / "stranger")
    assert (closed.exit_code, "cannot be decrypted" in closed.output) == (1, True)
    other = run("journal", "arguments", read.call_id, "--journal", journal, "--key-file", tmp_path / "auditor")
    assert (other.exit_code, "not recorded in full" in other.output) == (1, True)
    none = run("journal", "arguments", "nothing", "--journal", journal, "--key-file", tmp_path / "auditor")
    assert (none.exit_code, "No decision" in none.output) == (1, True)


@pytest.mark.parametrize("wrong", ["{arguments: all}", "{}", "digest", "{argument: digest}", "{arguments: [digest]}"])
def test_another_word_does_not_build(wrong: str, repository: Path, verified: Path, opa: Path) -> None:
    catalog = repository / "bundles/dev/catalog/demo.yaml"
    catalog.write_text(catalog.read_text().replace(TARGET, TARGET.replace("}", f", record: {wrong}}}")))
    found = Builder(verified, opa).content(PolicySource(repository, "dev"), 1_795_000_000.0)
    assert isinstance(found, Problems)
    assert "demo.yaml:" in str(found.problems[0])
    assert "argument" in str(found.problems[0])
