"""YAML has only one interpretation, and every problem has its line."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.visible_text import is_unseen
from gateway.policy.sources.document import MAX_BYTES, Document, read_document

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS | NAMES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


def read(text: str) -> Document:
    document = read_document("x.yaml", text.encode())
    assert isinstance(document, Document), document
    return document


def refused(content: bytes) -> list[tuple[int, str]]:
    problems = read_document("x.yaml", content)
    assert isinstance(problems, list), problems
    assert all(problem.file == "x.yaml" and problem.remedy for problem in problems)
    return [(problem.line, problem.what) for problem in problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("2026-12-01", "2026-12-01"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0x1f", 31),
        ("0o17", 15),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("~", None),
        ("''", ""),
        ("'1'", "1"),
        ('"true"', "true"),
        ("True", True),
        ("0b11", "0b11"),
        ("=", "="),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    found = read(f"a: {written}\n").value["a"]
    assert found == value
    assert type(found) is type(value)


def test_every_value_knows_its_line() -> None:
    document = read("a: 1\nb:\n  - x\n  - c/d: 2\n\n    e~: |\n      text\n")
    assert document.value == {"a": 1, "b": ["x", {"c/d": 2, "e~": "text\n"}]}
    assert [document.line(pointer) for pointer in ("", "/a", "/b", "/b/0", "/b/1/c~1d", "/b/1/e~0")] == [
        1, 1, 2, 3, 4, 6,
    ]  # fmt: skip
    assert document.line("/b/1/absent/deeper") == 4


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"a: 1\na: 2\n", 2, "repeats the key `a` of line 1"),
        (b"a: {x: 1, 'x': 2}\n", 1, "repeats the key `x`"),
        (b"a: &x 1\n", 1, "anchor `&x`"),
        (b"a: 1\nb: *x\n", 2, "alias `*x`"),
        (b"? &x a\n: 1\n", 1, "anchor"),
        (b"<<: {a: 1}\n", 1, "merge key"),
        (b"a: !!str 3\n", 1, "tag"),
        (b"a: ! 3\n", 1, "tag `!`"),
        (b"a: !!map {}\n", 1, "tag"),
        (b"a: !!python/object:os.system x\n", 1, "tag"),
        (b"%YAML 1.1\n---\na: 1\n", 2, "directive"),
        (b"a: 1\n---\nb: 2\n", 2, "second document"),
        (b"1: a\n", 1, "key that is not a string"),
        (b"true: a\n", 1, "key that is not a string"),
        (b"~: a\n", 1, "key that is not a string"),
        (b"? [x]\n: 3\n", 1, "key that is not a string"),
        (b"a: .inf\n", 1, "JSON cannot represent"),
        (b"a: 1e999\n", 1, "JSON cannot represent"),
        (b"a:\n- .NaN\n", 2, "JSON cannot represent"),
        (b"a: 9223372036854775808\n", 1, "64 bits"),
        (b"", 0, "is empty"),
        (b"# nothing\n", 0, "is empty"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        (b"a: 1\nb: [1\n", 3, "not YAML"),
        (b"a:\n\t- b\n", 2, "not YAML"),
        (b"a: 'x\n", 2, "not YAML"),
        (b"[" * 40 + b"]" * 40, 1, "nested deeper"),
        (b"a: " + b"x" * MAX_BYTES, 0, "larger than"),
    ],
)
def test_an_ambiguous_value_is_refused_at_its_line(content: bytes, line: int, said: str) -> None:
    problems = refused(content)
    assert problems[0][0] == line
    assert said in problems[0][1]


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    found = refused(b"a: 1\na: 2\nb: &x 1\n3: x\nc: .nan\n")
    assert [line for line, _ in found] == [2, 3, 4, 5]


def test_deep_nesting_is_refused_without_exhausting_the_stack() -> None:
    assert "nested deeper" in refused(b"[" * 100_000 + b"]" * 100_000)[0][1]


@given(VALUES)
def test_json_is_read_as_json_reads_it(value: Any) -> None:
    text = json.dumps({"a": value}, ensure_ascii=False, indent=1)
    if any(is_unseen(letter) for letter in text if letter != "\n"):
        text = json.dumps({"a": value}, indent=1)
    if "<<" not in text:
        assert read(text).value == {"a": value}


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_problems(content: bytes) -> None:
    found = read_document("x.yaml", content)
    assert isinstance(found, Document) or found
