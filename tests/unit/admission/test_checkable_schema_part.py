"""The usable part of a presented schema is checked; the rest is left out with a reason."""

import time
from typing import Any

import pytest

from gateway.admission.argument_schema_check import MOST_VALUES, check, compiled, folded_key
from gateway.admission.checkable_schema_part import usable
from gateway.admission.json_schema_validator import is_pattern
from gateway.admission.schema_parts import MOST_PATTERNS

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
NO_SUCH_PATTERN = "(?=.*[0-9])(?=.*[a-z]).+"


def unchecked(schema: Any) -> list[str]:
    return [one.pointer for one in usable(schema, is_pattern).unchecked]


def fits(schema: Any, **arguments: Any) -> bool:
    verdict = check(compiled(schema), arguments)
    assert verdict in {"match", "mismatch"}
    return verdict == "match"


@pytest.mark.parametrize(
    "keywords",
    [
        {"pattern": NO_SUCH_PATTERN},
        {"pattern": "(?<!a)b"},
        {"pattern": r"(a)\1"},
        {"pattern": "[a-z]++"},
        {"pattern": "(?>a+)b"},
        {"pattern": "["},
        {"pattern": "^.{1,100000}$"},
        {"pattern": 5},
        {"type": "any"},
        {"type": "int"},
        {"type": "String"},
        {"type": None},
        {"type": []},
        {"type": ["string", "string"]},
        {"type": ["string", "file"]},
        {"required": True},
        {"required": "name"},
        {"required": ["a", "a"]},
        {"$ref": "#/$defs/missing"},
        {"$ref": "other.json"},
        {"$ref": "https://127.0.0.1:9/other.json#/a"},
        {"$ref": "https://[broken"},
        {"$ref": None},
        {"minimum": 1, "exclusiveMinimum": True},
        {"exclusiveMaximum": False},
        {"enum": []},
        {"enum": "a"},
        {"minLength": -1},
        {"maxLength": 1.5},
        {"minimum": "1"},
        {"maximum": float("inf")},
        {"multipleOf": 0},
        {"uniqueItems": "true"},
        {"properties": []},
        {"patternProperties": {NO_SUCH_PATTERN: {}}},
        {"additionalProperties": "no"},
        {"items": [{"type": "string"}]},
        {"items": None},
        {"allOf": []},
        {"anyOf": {}},
        {"dependencies": {"a": "b"}},
        {"dependentRequired": {"a": True}},
        {"propertyNames": "x"},
    ],
)
def test_a_keyword_that_cannot_be_used_is_left_out_and_the_rest_is_checked(keywords: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "x": keywords}, "required": ["n"]}
    left = unchecked(schema)
    assert len(left) == 1
    assert left[0].startswith("/properties/x/")
    assert fits(schema, n=1)
    assert not fits(schema, n="1")
    assert not fits(schema)


@pytest.mark.parametrize(
    "keywords",
    [
        {"type": "string", "example": "a", "discriminator": {"propertyName": "kind"}, "xml": {}, "deprecated": True},
        {"type": "string", "format": "no-such-format"},
        {"type": "string", "default": 5, "examples": "x"},
        {"type": ["string", "null"]},
        {"type": "string", "maxLength": 10**30},
        {"type": "string", "maxLength": 5.0},
        {"enum": ["a", "a"]},
        {"dependencies": {"a": ["b"]}},
        {"$comment": 3, "$defs": [], "definitions": None, "title": 5},
        {"then": "x", "minContains": "x"},
        {"pattern": r"^[\w.*+-]+@[^@]+$"},
        {"$anchor": "x", "$schema": DRAFT_7, "$id": "#/properties/x"},
    ],
)
def test_keywords_that_every_validator_can_use_or_ignore_are_not_left_out(keywords: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"x": keywords}}
    assert unchecked(schema) == []
    assert fits(schema, x="a" if "pattern" not in keywords else "a@b")


@pytest.mark.parametrize("schema", [{}, True, {"type": "object"}])
def test_a_schema_that_allows_everything_leaves_nothing_out(schema: Any) -> None:
    assert unchecked(schema) == []
    assert fits(schema, a=1)


@pytest.mark.parametrize("schema", [None, [], "object", 3])
def test_a_tool_without_a_schema_stays_callable_and_nothing_is_checked(schema: Any) -> None:
    assert unchecked(schema) == [""]
    assert fits(schema, a=1)


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": [*range(MOST_VALUES)]},
        {"enum": [{"a": number} for number in range(MOST_VALUES // 2)]},
        {"properties": {f"p{number}": {"$id": f"http://a/{number}"} for number in range(MOST_VALUES // 2)}},
    ],
)
def test_a_schema_of_very_many_values_is_not_looked_at(schema: Any) -> None:
    checker = compiled(schema)
    assert [(one.pointer, one.why) for one in checker.usable.unchecked] == [("", "has more than 10000 values")]
    assert fits(schema, a=1)
    assert checker.schema is None


def test_of_very_many_patterns_the_first_are_checked_and_equal_ones_are_one() -> None:
    names = [f"p{number}" for number in range(MOST_PATTERNS + 5)]
    same = {f"s{number}": {"pattern": "^p0$"} for number in range(100)}
    schema = {"properties": {name: {"pattern": f"^{name}$"} for name in names} | same}
    assert unchecked(schema) == [f"/properties/{name}/pattern" for name in names[MOST_PATTERNS:]]
    assert not fits(schema, p0="x")
    assert not fits(schema, s99="x")
    assert fits(schema, **{names[-1]: "x"})


BROKEN = {"properties": {"a": {"pattern": NO_SUCH_PATTERN}}}


@pytest.mark.parametrize(
    ("schema", "left"),
    [
        ({"not": BROKEN}, ["/not"]),
        ({"not": {"allOf": [{"not": BROKEN}]}}, ["/not"]),
        ({"if": BROKEN, "then": False, "else": False}, ["/if", "/then", "/else"]),
        ({"if": True, "then": BROKEN}, ["/then/properties/a/pattern"]),
        ({"oneOf": [BROKEN, {"required": ["b"]}]}, ["/oneOf"]),
        ({"anyOf": [BROKEN, False]}, ["/anyOf/0/properties/a/pattern"]),
        (
            {"properties": {"a": {"contains": {"type": "any"}, "minContains": 2}}},
            ["/properties/a/contains", "/properties/a/minContains"],
        ),
        (
            {"properties": {"a": {"contains": False, "minContains": "0"}}},
            ["/properties/a/contains", "/properties/a/minContains"],
        ),
        ({"dependentSchemas": {"a": BROKEN, "b": False}}, ["/dependentSchemas/a"]),
        ({"dependencies": {"a": BROKEN, "b": False}}, ["/dependencies/a"]),
        ({"properties": [], "additionalProperties": False}, ["/properties", "/additionalProperties"]),
        (
            {"patternProperties": {NO_SUCH_PATTERN: True}, "additionalProperties": False},
            [f"/patternProperties/{NO_SUCH_PATTERN}", "/additionalProperties"],
        ),
        ({"$ref": "#/none", "unevaluatedProperties": False}, ["/$ref", "/unevaluatedProperties"]),
        (
            {"allOf": [{"anyOf": [{"properties": 3}]}], "unevaluatedProperties": False},
            ["/unevaluatedProperties", "/allOf/0/anyOf/0/properties"],
        ),
        (
            {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"oneOf": [BROKEN]}}, "unevaluatedProperties": False},
            ["/unevaluatedProperties", "/$defs/a/oneOf"],
        ),
        (
            {"properties": {"b": {"properties": 3}}, "unevaluatedProperties": False},
            ["/properties/b/properties"],
        ),
        ({"not": {"$ref": "#/$defs/a"}, "$defs": {"a": {"$ref": "#/$defs/b"}, "b": BROKEN}}, ["/not"]),
        ({"$defs": {"a": BROKEN}}, []),
    ],
)
def test_keywords_that_would_accept_less_are_left_out_too(schema: Any, left: list[str]) -> None:
    assert sorted(unchecked(schema)) == sorted(left)
    if "anyOf" not in schema:
        assert fits(schema, a="x") or "b" in str(left)


def test_the_rest_of_a_list_is_not_judged_without_its_first_elements() -> None:
    assert unchecked({"prefixItems": 3, "items": False}) == ["/prefixItems", "/items"]
    assert unchecked({"$schema": DRAFT_7, "items": ["x"], "additionalItems": False}) == ["/items/0"]


@pytest.mark.parametrize(
    "named", [DRAFT_7, "https://json-schema.org/draft-07/schema", "http://json-schema.org/draft-07/schema"]
)
def test_a_draft_is_known_in_every_spelling(named: str) -> None:
    schema = {"$schema": named, "properties": {"a": {"items": [{"type": "string"}], "additionalItems": False}}}
    assert unchecked(schema) == []
    assert fits(schema, a=["x"])
    assert not fits(schema, a=["x", "y"])


@pytest.mark.parametrize("named", ["http://json-schema.org/draft-03/schema#", "https://example.com/own", 3, ""])
def test_an_unknown_draft_is_named_and_read_as_the_latest(named: Any) -> None:
    schema = {"$schema": named, "properties": {"a": {"type": "integer"}}}
    assert unchecked(schema) == ["/$schema"]
    assert not fits(schema, a="x")


def test_the_flags_of_draft_4_are_checked_in_draft_4() -> None:
    schema = {"$schema": DRAFT_4, "properties": {"a": {"minimum": 1, "exclusiveMinimum": True}}}
    assert unchecked(schema) == []
    assert not fits(schema, a=1)
    assert fits(schema, a=2)


def test_keywords_next_to_a_reference_count_from_2019_on() -> None:
    schema = {"properties": {"a": {"$ref": "#/definitions/x", "maximum": 5}}, "definitions": {"x": {"type": "integer"}}}
    assert not fits(schema, a=9)
    assert fits({"$schema": DRAFT_7, **schema}, a=9)
    assert not fits({"$schema": DRAFT_7, **schema}, a="x")


@pytest.mark.parametrize("reference", ["https://x.example/a#/$defs/n", "a#/$defs/n", "#/$defs/n", "#num", "a#num"])
def test_references_by_the_identifier_of_the_document_are_followed(reference: str) -> None:
    schema = {
        "$id": "https://x.example/a",
        "properties": {"a": {"$ref": reference}},
        "$defs": {"n": {"$anchor": "num", "type": "integer"}},
    }
    assert unchecked(schema) == []
    assert not fits(schema, a="x")


def test_a_reference_in_an_inner_resource_is_relative_to_it() -> None:
    inner = {"$id": "inner", "$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}
    schema = {"properties": {"a": inner, "b": {"$ref": "inner"}}, "$defs": {"n": {"type": "string"}}}
    assert unchecked(schema) == []
    assert not fits(schema, a="x")
    assert not fits(schema, b="x")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"allOf": [{"$ref": "#"}]},
    ],
)
def test_references_in_a_circle_end(schema: Any) -> None:
    assert fits(schema, a=1)


@pytest.mark.parametrize(
    "keywords",
    [
        {"type": "string", "nullable": True},
        {"type": "string", "enum": ["a"], "nullable": True},
        {"allOf": [{"$ref": "#/$defs/s"}], "nullable": True},
        {"$ref": "#/$defs/s", "nullable": True},
        {"const": "a", "nullable": True},
    ],
)
def test_nullable_accepts_null(keywords: dict[str, Any]) -> None:
    schema = {"properties": {"a": keywords}, "$defs": {"s": {"type": "string"}}}
    assert unchecked(schema) == []
    assert fits(schema, a=None)
    assert fits(schema, a="a")
    assert not fits(schema, a=1)


def test_an_exclusion_of_something_nullable_is_left_out() -> None:
    assert unchecked({"not": {"type": "string", "nullable": True}}) == ["/not"]


def test_subschemas_that_are_too_deep_are_left_out() -> None:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(300):
        schema = {"properties": {"a": schema}}
    (left,) = unchecked(schema)
    assert left.startswith("/properties/a/properties/a")
    assert fits(schema, a={"a": 1})
    assert not fits({**schema, "required": ["b"]})


def test_a_long_chain_of_references_is_followed_as_far_as_definitions_go() -> None:
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(2_000)}
    schema = {"$ref": "#/$defs/d0", "$defs": chain}
    start = time.process_time()
    assert fits(schema, a=1)
    assert time.process_time() - start < 3
    assert len(unchecked(schema)) == 1


def test_many_subschemas_are_read_up_to_a_bound() -> None:
    schema = {"properties": {f"p{number}": {"type": "any"} for number in range(30_000)}}
    start = time.process_time()
    assert fits(schema, p1=1)
    assert time.process_time() - start < 8


def test_names_in_parts_that_are_left_out_still_guard_against_keys_alike() -> None:
    schema = {"oneOf": [{"properties": {"path": {"pattern": NO_SUCH_PATTERN}}}, {"required": ["x"]}]}
    assert folded_key(compiled(schema), {"PATH": "a"}) == "PATH"
    nested: Any = {"properties": {"o": {"$ref": "#/none", "properties": {"path": {}}}}}
    assert folded_key(compiled(nested), {"o": {"PATH": "a"}}) == "PATH"
    assert folded_key(compiled(nested), {"PATH": "a"}) is None


def test_formats_are_annotations() -> None:
    assert fits({"$schema": DRAFT_7, "properties": {"a": {"format": "time"}}}, a="13:45:00")
