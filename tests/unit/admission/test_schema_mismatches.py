"""A model reads a correctable reason for arguments that do not fit."""

from typing import Any

import pytest

from gateway.admission.argument_schema_check import compiled
from gateway.admission.schema_check_findings import findings


def said(schema: Any, arguments: dict[str, Any], size: int = 100) -> list[str]:
    return [error.message for error in findings(compiled(schema), arguments, size).errors]


OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "integer", "minimum": 3},
        "color": {"enum": ["red", "green"]},
        "name": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
        "list": {"type": "array", "items": {"$ref": "#/$defs/item"}, "maxItems": 3, "uniqueItems": True},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "shape": {
            "oneOf": [
                {
                    "properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}},
                    "required": ["kind", "radius"],
                },
                {"properties": {"kind": {"const": "box"}, "side": {"type": "number"}}, "required": ["kind", "side"]},
            ]
        },
        "number": {"type": ["number", "null"]},
    },
    "required": ["a"],
    "additionalProperties": False,
    "$defs": {"item": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
}


CASES: list[tuple[dict[str, Any], str]] = [
    (
        {"a": "1"},
        (
            "argument `a` is a string of 1 characters; the schema of the tool requires an integer "
            "(keyword `type` at /properties/a/type)"
        ),
    ),
    ({}, "argument `a` is missing; the schema of the tool requires it (keyword `required` at /required)"),
    (
        {"a": 5, "b": 1},
        (
            "argument `b` is not expected; the schema of the tool allows `a`, `color`, `name`, `list`, `either`, "
            "`shape`, `number` (keyword `additionalProperties` at /additionalProperties)"
        ),
    ),
    (
        {"a": 1},
        (
            "argument `a` is an integer; the schema of the tool requires at least 3 "
            "(keyword `minimum` at /properties/a/minimum)"
        ),
    ),
    (
        {"a": 5, "color": "blue"},
        (
            "argument `color` is a string of 4 characters; the schema of the tool requires one of "
            '"red", "green" (keyword `enum` at /properties/color/enum)'
        ),
    ),
    (
        {"a": 5, "name": "x"},
        (
            "argument `name` is a string of 1 characters; the schema of the tool requires at least 2 characters "
            "(keyword `minLength` at /properties/name/minLength)"
        ),
    ),
    (
        {"a": 5, "name": "XY"},
        (
            "argument `name` is a string of 2 characters; the schema of the tool requires a text that matches "
            'the pattern "^[a-z]+$" (keyword `pattern` at /properties/name/pattern)'
        ),
    ),
    (
        {"a": 5, "list": [{"id": "x"}, {"id": 5}]},
        (
            "argument `list[1].id` is an integer; the schema of the tool requires a string "
            "(keyword `type` at /$defs/item/properties/id/type)"
        ),
    ),
    (
        {"a": 5, "list": [{}]},
        (
            "argument `list[0].id` is missing; the schema of the tool requires it "
            "(keyword `required` at /$defs/item/required)"
        ),
    ),
    (
        {"a": 5, "list": [{"id": "x"}, {"id": "x"}]},
        (
            "argument `list` is a list with 2 elements; the schema of the tool requires elements that are all "
            "different (keyword `uniqueItems` at /properties/list/uniqueItems)"
        ),
    ),
    (
        {"a": 5, "either": "x"},
        (
            "argument `either` is a string of 1 characters; the schema of the tool requires an integer or null "
            "(keyword `anyOf` at /properties/either/anyOf)"
        ),
    ),
    (
        {"a": 5, "shape": {"kind": "box"}},
        (
            "argument `shape.side` is missing; the schema of the tool requires it "
            "(keyword `required` at /properties/shape/oneOf/1/required), in the closest of 2 alternatives "
            "of `oneOf`"
        ),
    ),
    (
        {"a": 5, "number": "x"},
        (
            "argument `number` is a string of 1 characters; the schema of the tool requires a number or null "
            "(keyword `type` at /properties/number/type)"
        ),
    ),
    (
        {"a": None},
        "argument `a` is null; the schema of the tool requires an integer (keyword `type` at /properties/a/type)",
    ),
    (
        {"a": True},
        "argument `a` is a boolean; the schema of the tool requires an integer (keyword `type` at /properties/a/type)",
    ),
]


@pytest.mark.parametrize(("arguments", "want"), CASES)
def test_a_mismatch_names_the_argument_the_keyword_and_what_is_wanted(arguments: dict[str, Any], want: str) -> None:
    assert said(OBJECT, arguments) == [want]


OTHERS: list[tuple[Any, dict[str, Any], str]] = [
    ({"properties": {"0": {"items": {"type": "string"}}}}, {"0": [1]}, "argument `0[0]` is an integer"),
    ({"properties": {"a": {"oneOf": [{}, {}]}}}, {"a": 1}, "argument `a` fits several alternatives of the schema"),
    (
        {"properties": {"a": False}},
        {"a": 1},
        "argument `a` is an integer; the schema of the tool does not accept it",
    ),
    (
        {"properties": {"a": {"not": {}}}},
        {"a": 1},
        "argument `a` is an integer; the schema of the tool requires a value",
    ),
    ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "the arguments object is an object with 1 members"),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "argument `b` is missing"),
    ({"unevaluatedProperties": False}, {"a": 1}, "argument `a` is not expected by the schema of the tool"),
    (
        {"maxProperties": 0},
        {"a": 1},
        "the arguments object is an object with 1 members; the schema of the tool requires at",
    ),
    (
        {"properties": {"a": {"const": {"b": 1}}}},
        {"a": 1},
        'argument `a` is an integer; the schema of the tool requires exactly {"b":1}',
    ),
    ({"additionalProperties": False}, {"a\n\u202eb": 1}, "argument `a\\n\\u202eb` is not expected"),
]


@pytest.mark.parametrize(("schema", "arguments", "want"), OTHERS)
def test_other_keywords_are_told_as_well(schema: Any, arguments: dict[str, Any], want: str) -> None:
    assert said(schema, arguments)[0].startswith(want)


def test_no_value_is_repeated() -> None:
    secret = "hunter2-hunter2"
    schema = {
        "properties": {"a": {"enum": ["x"]}, "b": {"pattern": "^x"}, "c": {"const": 1}, "d": {"anyOf": [{"const": 1}]}},
        "additionalProperties": {"type": "integer"},
    }
    errors = findings(compiled(schema), dict.fromkeys("abcde", secret), 100).errors
    assert len(errors) == 5
    assert secret not in str(errors)


def test_reasons_are_few_and_short() -> None:
    names = {f"{number}{'x' * 200}": number for number in range(100)}
    found = findings(compiled({"additionalProperties": {"type": "string"}}), names, 3000).errors
    assert len(found) == 5
    assert all(len(error.message) < 900 for error in found)
    many = findings(compiled({"properties": {"a": {"enum": ["y" * 500] * 500}}}), {"a": 1}, 100).errors
    assert len(many[0].message) < 900


def test_large_arguments_are_not_searched() -> None:
    found = findings(compiled({"items": {"type": "string"}, "maxProperties": 1}), {"a": 1, "b": 2}, 1 << 20)
    assert (found.schema, found.errors) == ("mismatch", ())


def test_a_costly_schema_gives_the_first_reason() -> None:
    schema = {"properties": {f"p{number}": {"type": "string"} for number in range(500)}}
    assert len(said(schema, {"p1": 1, "p2": 2}, 1_000)) == 1
    assert len(said(schema, {"p1": 1, "p2": 2}, 10)) == 2


def test_the_place_is_the_one_in_the_presented_schema_in_every_draft() -> None:
    draft = "http://json-schema.org/draft-07/schema#"
    schema = {
        "$schema": draft,
        "properties": {"a": {"items": [{"type": "string"}], "additionalItems": {"type": "integer"}}},
    }
    (second, first) = sorted(said(schema, {"a": [1, "x"]}), reverse=True)
    assert "at /properties/a/items/0/type" in first
    assert "at /properties/a/additionalItems/type" in second


def test_formats_are_found_only_by_their_own_check() -> None:
    checker = compiled({"properties": {"at": {"type": "string", "format": "time"}}})
    found = findings(checker, {"at": "13:45:00"}, 20)
    assert (found.schema, found.formats) == ("match", "mismatch")
    assert found.errors[0].message == (
        'argument `at` is a string of 8 characters; the schema of the tool requires the format "time" '
        "(keyword `format` at /properties/at/format)"
    )
    fine = findings(checker, {"at": "13:45:00Z"}, 20)
    assert (fine.schema, fine.formats, fine.errors) == ("match", "match", ())
    assert findings(compiled({}), {}, 2).formats == "none"
