"""Arguments are checked against the presented schema, and keys that fold onto another key are named."""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.admission.argument_schema_check import check, compiled, depth, fold, folded_key, measure
from gateway.admission.digests import canonical, digest
from tests.unit.admission.test_digests import BEYOND

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"path": {"type": "string", "maxLength": 10}, "count": {"type": "integer"}},
    "required": ["path"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        ({"path": "a"}, "match"),
        ({"path": "a", "count": 3}, "match"),
        ({}, "mismatch"),
        ({"path": 1}, "mismatch"),
        ({"path": "a", "other": 1}, "mismatch"),
        ({"path": "a" * 11}, "mismatch"),
        ({"path": "a", "count": 1.5}, "mismatch"),
        ({"path": "a", "count": 2**70}, "match"),
    ],
)
def test_arguments_are_checked_against_the_presented_schema(arguments: dict[str, Any], want: str) -> None:
    assert check(compiled(SCHEMA), arguments) == want


@pytest.mark.parametrize(
    ("schema", "unchecked"),
    [
        (None, [""]),
        ([], [""]),
        ("object", [""]),
        ({"type": "nonsense"}, ["/type"]),
        ({"$ref": "https://example.com/schema.json"}, ["/$ref"]),
        ({"$ref": "#/$defs/missing"}, ["/$ref"]),
        ({"$ref": "#missing"}, ["/$ref"]),
        ({"$ref": "other.json"}, ["/$ref"]),
        ({"$schema": "https://example.com/dialect"}, ["/$schema"]),
        ({"properties": {"a": {"$id": "https://example.com/inner", "$ref": "#/x"}}}, ["/properties/a/$ref"]),
        ({"pattern": "(?=look)ahead"}, ["/pattern"]),
        ({"pattern": "(a{1000}){1000}"}, ["/pattern"]),
        ({"required": 3}, ["/required"]),
        ({"enum": ["\ud800"]}, [""]),
    ],
)
def test_unusable_keywords_of_a_schema_are_left_out_and_named(schema: Any, unchecked: list[str]) -> None:
    checker = compiled(schema)
    assert check(checker, {"a": "b"}) == "match"
    assert [one.pointer for one in checker.usable.unchecked] == unchecked


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("socket.socket.connect", connect)
    assert check(compiled({"$ref": "http://127.0.0.1:9/schema.json"}), {}) == "match"


@pytest.mark.parametrize(
    ("dialect", "schema", "arguments", "want"),
    [
        ("http://json-schema.org/draft-07/schema#", {"items": [{"type": "string"}]}, ["a"], "match"),
        ("https://json-schema.org/draft/2020-12/schema", {"prefixItems": [{"type": "string"}]}, [1], "mismatch"),
        (None, {"prefixItems": [{"type": "string"}]}, [1], "mismatch"),
    ],
)
def test_the_draft_is_the_one_that_the_schema_names(
    dialect: str | None, schema: Any, arguments: Any, want: str
) -> None:
    named = {"properties": {"list": schema}} | ({"$schema": dialect} if dialect else {})
    assert check(compiled(named), {"list": arguments}) == want


def test_arguments_that_the_library_cannot_read_are_uncheckable() -> None:
    checker = compiled({"properties": {"a": {"pattern": "^a"}}})
    assert check(checker, {"a": "\ud800"}) == "uncheckable"


def test_a_pattern_runs_in_linear_time() -> None:
    checker = compiled({"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}})
    start = time.process_time()
    assert check(checker, {"a": "a" * 50_000 + "b"}) == "mismatch"
    assert time.process_time() - start < 1


def doubling(levels: int) -> dict[str, Any]:
    steps: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**steps, f"d{levels}": {"type": "object"}}}


def test_a_schema_that_doubles_at_every_step_is_not_run() -> None:
    start = time.process_time()
    assert check(compiled(doubling(25)), {}) == "uncheckable"
    assert check(compiled(doubling(60)), {}) == "uncheckable"
    assert check(compiled(doubling(400)), {}) == "uncheckable"
    assert time.process_time() - start < 1
    assert check(compiled(doubling(5)), {}) == "match"


def test_a_recursive_schema_is_checked() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}}
    assert check(compiled(tree), {"next": {"next": {"value": 1}}}) == "match"
    assert check(compiled(tree), {"next": {"next": {"value": "1"}}}) == "mismatch"


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {"properties": {"$ref": {"type": "string"}, "properties": {"type": "integer"}, "$id": {"type": "string"}}}
    assert check(compiled(schema), {"$ref": "a", "properties": 1, "$id": "b"}) == "match"
    assert check(compiled(schema), {"properties": "a"}) == "mismatch"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(BEYOND, st.dictionaries(st.text(max_size=3), BEYOND, max_size=3))
def test_any_schema_and_any_arguments_give_an_answer(schema: Any, arguments: dict[str, Any]) -> None:
    checker = compiled(schema)
    assert check(checker, arguments) in {"match", "mismatch", "uncheckable"}
    folded_key(checker, arguments)


FOLDING: dict[str, Any] = {
    "properties": {
        "path": {"type": "string"},
        "options": {"$ref": "#/$defs/options"},
        "list": {"type": "array", "items": {"properties": {"id": {}}}},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "allOf": [{"properties": {"mode": {}}}],
    "$defs": {"options": {"properties": {"kind": {}, "Kind": {}}}},
}


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        ({"path": "a"}, None),
        ({"PATH": "a"}, "PATH"),
        ({"path": "a", "Path": "b"}, "Path"),
        ({"\u017fecret": 1}, None),
        ({"li\u017ft": []}, "li\u017ft"),
        ({"\uff50ath": 1}, "\uff50ath"),
        ({"Mode": 1}, "Mode"),
        ({"options": {"kind": 1, "Kind": 2}}, None),
        ({"options": {"KIND": 1}}, "KIND"),
        ({"options": {"\u212aind": 1}}, "\u212aind"),
        ({"list": [{"id": 1}, {"ID": 2}]}, "ID"),
        ({"headers": {"Path": "x", "ID": "y"}}, None),
        ({"headers": {"a": "x", "A": "y"}}, "a"),
        ({"unknown": {"a": 1, "A": 2}}, "a"),
        ({"unknown": [[{"x": {"\u212a": 1, "k": 2}}]]}, "\u212a"),
    ],
)
def test_a_key_that_folds_onto_another_is_named(arguments: dict[str, Any], want: str | None) -> None:
    assert folded_key(compiled(FOLDING), arguments) == want


def test_a_schema_that_cannot_be_used_still_guards_its_names() -> None:
    checker = compiled({"properties": {"path": {"$ref": "https://example.com/a"}}})
    assert folded_key(checker, {"a": 1, "PATH": 1}) == "PATH"
    assert folded_key(checker, {"path": 1}) is None


def test_many_keys_are_compared_in_linear_time() -> None:
    arguments = {f"key{number}": number for number in range(30_000)} | {"KEY7": 0}
    start = time.process_time()
    assert folded_key(compiled({"type": "object"}), arguments) == "key7"
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("left", "right"), [("Name", "name"), ("\u212a", "k"), ("\u017f", "S"), ("\uff21", "a"), ("STRASSE", "straße")]
)
def test_keys_that_some_reader_takes_for_one_have_one_fold(left: str, right: str) -> None:
    assert fold(left) == fold(right)


@given(st.text())
def test_folding_twice_changes_nothing(key: str) -> None:
    assert fold(fold(key)) == fold(key)


def test_measures_are_of_the_canonical_json() -> None:
    arguments = {"b": [1, {"c": None}], "a": "ü"}
    meta = measure(arguments, "match")
    assert (meta.bytes, meta.depth, meta.schema) == (len(canonical(arguments)), 3, "match")
    assert meta.digest == digest(arguments)


DEPTHS: list[tuple[Any, int]] = [(1, 0), ({}, 1), ([], 1), ({"a": 1}, 1), ({"a": [1]}, 2), ([[[]]], 3)]


@pytest.mark.parametrize(("value", "want"), DEPTHS)
def test_depth_counts_objects_and_lists(value: Any, want: int) -> None:
    assert depth(value) == want
