"""Records keep what the catalog sets for arguments: their digest, their shape, or all of them for an auditor."""

from base64 import b64decode
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.admission.decision import PolicyFailure, Word
from gateway.admission.policy_input import Target
from gateway.admission.record import Decided, Enforced
from gateway.admission.record_masking import Level, Masking, Seal, in_arguments
from gateway.admission.recording import decided
from tests.recorded_lines import lines_of
from tests.unit.admission.test_record import ALLOWED, KEY, LEVELS, OCCASION, question, verdict

ARGUMENTS: Final[dict[str, Any]] = {"to": "bob@example.com", "text": "quarterly figures", "password": "hunter2"}
REPEATED: Final[dict[str, Any]] = {"password": "hunter22", "note": "it is hunter22"}
WORDS: Final[tuple[Word, ...]] = ("", "digest", "masked", "full")


def sealed(content: bytes) -> bytes:
    """Replace encryption by a reversible form that does not show the text."""
    return bytes(255 - byte for byte in content)


def opened(record: Decided) -> Any:
    return orjson.loads(sealed(b64decode(record.sealed)))


def made(word: Word, level: Level, *, seal: Seal | None = sealed, arguments: dict[str, Any] = ARGUMENTS) -> Decided:
    masking = Masking(level=level, key=KEY, seal=seal, kept=in_arguments(["/text"]))
    answer = replace(verdict(), decision=replace(verdict().decision, record=word, reads=["/arguments/to"]))
    return decided(question(arguments), answer, enforced=ALLOWED, occasion=OCCASION, masking=masking)


@pytest.mark.parametrize("level", LEVELS)
def test_a_digest_is_all_that_is_kept_if_the_catalog_wants_no_more(level: Level) -> None:
    record = made("digest", level)
    text = lines_of(record)
    assert record.arguments.digest
    assert (record.input, record.sealed, record.masking) == (None, "", "none")
    for word in (b"bob", b"quarterly", b"hunter2", b'"to"', b"password"):
        assert word not in text


def test_the_catalog_can_mask_more_than_the_settings_and_never_less() -> None:
    masked: Any = made("masked", "full").input
    assert masked.arguments == {"to": "bob@example.com", "text": "quarterly figures", "password": "[masked]"}
    assert made("masked", "full", arguments={"other": "x"}).input == made("", "masked", arguments={"other": "x"}).input
    assert made("masked", "none").input is None
    assert made("full", "none").input is None


@pytest.mark.parametrize("level", LEVELS)
def test_all_arguments_are_kept_for_the_auditor_without_secrets(level: Level) -> None:
    record = made("full", level)
    assert opened(record) == {"to": "bob@example.com", "text": "quarterly figures", "password": "[masked]"}
    assert record.input == made("", level).input
    assert b"hunter2" not in lines_of(record)
    assert opened(made("full", level, arguments=REPEATED))["note"] == "it is [masked]"
    assert orjson.loads(lines_of(record).splitlines()[-1])["arguments"]["sealed"] == record.sealed


@pytest.mark.parametrize("word", ["", "digest", "masked"])
@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_sealed_that_the_catalog_does_not_want(word: Word, level: Level) -> None:
    assert made(word, level).sealed == ""


@pytest.mark.parametrize("level", LEVELS)
def test_without_an_auditor_nothing_more_is_readable(level: Level) -> None:
    assert made("full", level, seal=None) == made("", level, seal=None)
    assert made("full", level, arguments={}).sealed == ""


def test_a_call_that_no_catalog_was_asked_about_is_recorded_without_values() -> None:
    failure = PolicyFailure(code="policy_unavailable", detail="no answer")
    masking = Masking(level="full", key=KEY, kept=in_arguments(["/text"]))
    refusal = Enforced(outcome="deny", code="policy_unavailable")
    record = decided(question(ARGUMENTS), failure, enforced=refusal, occasion=OCCASION, masking=masking)
    assert record.input is not None
    assert record.input.arguments == {"to": "[string of 15]", "text": "[string of 17]", "password": "[masked]"}
    none = replace(masking, level="none")
    assert decided(question(), failure, enforced=refusal, occasion=OCCASION, masking=none).input is None


@given(st.sampled_from(WORDS), st.sampled_from(LEVELS), st.text("XYZ", min_size=9, max_size=12), st.booleans())
def test_no_word_of_the_catalog_makes_more_readable(word: Word, level: Level, value: str, auditor: bool) -> None:
    arguments: dict[str, Any] = {"deep": [{"value": value}], "top": value}
    seal = sealed if auditor else None
    text, plain = (lines_of(made(each, level, seal=seal, arguments=arguments)) for each in (word, ""))
    assert value.encode() in plain or value.encode() not in text
    assert word != "digest" or value.encode() not in text


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("place", ["name", "uri", "written"])
def test_a_secret_in_the_name_or_the_uri_of_a_target_is_masked_as_it_was_written(level: Level, place: str) -> None:
    secret = "ghp_" + "a1B2c3D4" * 5
    names = {"name": None, "uri": "s3://bucket/key", "written": "S3://bucket/key"}
    target = Target(type="resource", **{**names, place: f"S3://bucket/{secret}"})
    asked = replace(question({}), target=target)
    record = decided(asked, verdict(), enforced=ALLOWED, occasion=OCCASION, masking=Masking(level=level, key=KEY))
    assert secret.encode() not in lines_of(record)
    assert not record.replayable
