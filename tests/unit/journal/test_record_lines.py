"""The written form of records: it can be expanded to the full record, and it matches the published schema."""

from typing import Any, Final

import jsonschema_rs
import msgspec
import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.admission.policy_input import AskedMessage, Context, PolicyInput
from gateway.admission.principal import Principal
from gateway.admission.record import Caller, Counted, Decided, Policy, Refused, Voided, rfc3339, rfc3339_ns, unix_ns_of
from gateway.cli.journal import command
from gateway.journal import described_records
from gateway.journal.described_records import REPEATED_NS, Descriptions
from gateway.journal.record_expander import UNDESCRIBED, Expander
from gateway.journal.record_lines import CircumstancesLine
from gateway.journal.record_schema import PUBLISHED, record_schema, record_schema_text
from gateway.review.masked_fields import withheld
from gateway.review.recorded_decision import Left, RecordedDecision, row_of
from tests.recorded_lines import lines_of
from tests.unit.journal.conftest import a_completed, a_decided
from tests.unit.journal.questions import COMPLETIONS, NOW_NS, decisions
from tests.unit.journal.samples import CALL

LEFT_OUT: Final = {"time", "unix_ns", "monotonic_ns", "definition", "definition_status", "arguments", "kind"}
OTHERS: Final = (
    Counted(unix_ns=NOW_NS, since_ns=0, server="s", method="ping", count=2),
    Policy(time="", unix_ns=NOW_NS, event="followed", revision="dev@a.1"),
    Refused(call_id="c", time="", unix_ns=NOW_NS, monotonic_ns=1, code="malformed", source_ip="::1", digest="x" * 80),
    Voided(unix_ns=NOW_NS, first=1, last=2, detail="full", lost=1),
    a_completed(),
    a_decided(),
)


def read(*lines: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for text in lines for line in text.split(b"\n") if line]


def strict(node: Any) -> Any:
    """Return a schema in which objects with named properties have no others."""
    if isinstance(node, list):
        return [strict(each) for each in node]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {key: strict(value) for key, value in node.items()}  # pyright: ignore[reportUnknownVariableType]
    return made | {"additionalProperties": False} if "properties" in node else made


VALID: Final = jsonschema_rs.Draft202012Validator(strict(record_schema()), validate_formats=True)


def test_the_published_schema_is_that_of_the_types() -> None:
    assert PUBLISHED.read_bytes() == record_schema_text()


def test_the_schema_is_printed() -> None:
    shown = CliRunner().invoke(command, ["schema"])
    assert (shown.exit_code, orjson.loads(shown.stdout_bytes)) == (0, orjson.loads(PUBLISHED.read_bytes()))


@given(decisions() | COMPLETIONS | st.sampled_from(OTHERS))
def test_every_record_is_valid_and_has_a_time(record: Any) -> None:
    for line in read(lines_of(record, at=NOW_NS)):
        assert VALID.is_valid(line), [error.message for error in VALID.iter_errors(line)]
        assert unix_ns_of(line["time"]) >= 0


def test_a_record_of_a_different_form_is_not_valid() -> None:
    (line,) = read(lines_of(a_completed()))
    assert VALID.is_valid(line)
    for wrong in ({"time": "yesterday"}, {"schema": "mcp.record/v1"}, {"status": "200"}, {"unknown": 1}):
        assert not VALID.is_valid(line | wrong)
    assert not VALID.is_valid({name: value for name, value in line.items() if name != "time"})


@given(decisions())
def test_a_decision_is_read_back_unchanged(record: Decided) -> None:
    (whole,) = Expander().expanded(read(lines_of(record)))
    earlier: dict[str, Any] = orjson.loads(msgspec.json.encode(record))
    left_out = LEFT_OUT if record.outcome == "allow" else LEFT_OUT | {"credential"}
    for name in earlier.keys() - left_out - {"correlation", "input"}:
        assert whole[name] == earlier[name], name
    assert whole["input"] == earlier.get("input")
    assert UNDESCRIBED not in whole
    seen = record.input.definition if record.input is not None else None
    assert whole["definition"] == (seen.sha256 if seen is not None else record.definition[:16])


@given(decisions())
def test_the_replayed_question_is_the_recorded_one(record: Decided) -> None:
    (whole,) = Expander().expanded(read(lines_of(record)))
    row = row_of(whole)
    if record.input is not None and isinstance(row, RecordedDecision):
        assert row.input == orjson.loads(msgspec.json.encode(record.input))
        assert (row.whole, row.outcome) == (record.replayable, record.outcome)


def test_the_written_form_keeps_the_complete_question() -> None:
    """A new field of the policy input must also be written, and read back in `record_expander`."""
    known = {
        PolicyInput: "phase message principal client server target context definition definition_status arguments "
        "arguments_meta items schema facts",
        Principal: "kind method issuer subject client_id groups scopes unknown claims delegation credential_sha256",
        Context: "time source_ip gateway headers session",
        AskedMessage: "method kind revision era retry",
    }
    for form, names in known.items():
        assert set(form.__struct_fields__) == set(names.split()), form


def test_a_refusal_without_a_decision_has_its_complete_caller() -> None:
    caller = Caller(kind="service", method="token", credential_sha256="a" * 64)
    user = Caller(kind="user", method="jwt", issuer="https://i", subject="s", client_id="c", groups=("g",))
    refused = Refused(call_id="c", time="", unix_ns=NOW_NS, monotonic_ns=1, code="not_own", source_ip="::1")
    for each in (caller, user):
        (whole,) = Expander().expanded(read(lines_of(replace(refused, principal=each))))
        assert whole["principal"] == orjson.loads(msgspec.json.encode(each))


def test_a_key_without_a_description_is_unknown() -> None:
    record = CALL
    _, line = read(lines_of(record))
    (whole,) = Expander().expanded([line])
    assert (whole["input"], whole[UNDESCRIBED], row_of(whole)) == (None, True, Left("undescribed"))
    assert (whole["agent"], whole["grounds"][0]["rule"], whole["revision"]) == (
        {"id": "support-bot"},
        "support-posts",
        "production@b935775ebe05.214",
    )


def test_a_key_with_two_different_descriptions_is_unknown() -> None:
    described, line = read(lines_of(CALL))
    other = {**described, "circumstances": {"method": "jwt"}}
    twice = {**described, "definition": {**described["definition"], "sha256": "c" * 16 + "e" * 48}}
    (whole,) = Expander().expanded([described, other, described, line])
    assert whole["input"] is None
    (whole,) = Expander().expanded([described, described, twice, line])
    assert whole["replayable"] is False
    row = row_of(whole)
    assert isinstance(row, RecordedDecision)
    assert "definition" in withheld(row)


def test_definitions_and_senders_with_one_key_are_distinguished(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server can create two definitions whose digests begin alike, and a client two senders with one key."""
    assert CALL.input is not None
    assert CALL.input.definition is not None
    another = CALL.definition[:16] + "e" * 48
    changed = replace(CALL.input, definition=replace(CALL.input.definition, sha256=another, annotations={}))
    *_, line = Expander().expanded(read(lines_of(CALL, replace(CALL, input=changed, definition=another))))
    assert line["replayable"] is False
    assert line["definition"] == CALL.definition[:16]

    original = described_records.digest_of

    def alike(known: CircumstancesLine) -> str:
        return "5" * 16 + original(known)

    monkeypatch.setattr(described_records, "digest_of", alike)
    *_, line = Expander().expanded(read(lines_of(CALL, replace(CALL, session="another", era="legacy"))))
    assert line[UNDESCRIBED] is True
    assert (line["session"], line["principal"].get("issuer")) == ("", None)


def test_a_damaged_description_describes_nothing() -> None:
    described, line = read(lines_of(CALL))
    damage: list[dict[str, Any]] = [{"circumstances": 7}, {"definition": [1]}, {"time": None}, {"sender": 1}]
    for wrong in damage:
        (whole,) = Expander().expanded([described | wrong, line])
        assert row_of(whole) == Left("undescribed")


def test_a_description_is_repeated_only_after_its_interval_or_a_failure() -> None:
    record, made = CALL, Descriptions()
    assert made.lines(record)[0] is not None
    assert made.lines(replace(record, monotonic_ns=record.monotonic_ns + REPEATED_NS - 1))[0] is None
    assert made.lines(replace(record, monotonic_ns=record.monotonic_ns + REPEATED_NS))[0] is not None
    assert made.lines(replace(record, monotonic_ns=record.monotonic_ns + REPEATED_NS + 1))[0] is None
    made.forget()
    assert made.lines(replace(record, monotonic_ns=record.monotonic_ns + REPEATED_NS + 2))[0] is not None


@pytest.mark.parametrize("first", ["large", "none"])
def test_a_definition_is_described_with_the_first_question_that_has_it(first: str) -> None:
    whole, made = CALL, Descriptions()
    made.lines(replace(whole, input=None))
    described = made.lines(whole).description
    assert described is not None, first
    assert described.definition is not None


@given(st.integers(0, 253_402_300_799 * 1_000_000_000))
def test_a_written_time_is_read_to_the_last_digit(unix_ns: int) -> None:
    assert unix_ns_of(rfc3339_ns(unix_ns)) == unix_ns
    assert unix_ns_of(rfc3339(unix_ns)) == unix_ns - unix_ns % 1000
