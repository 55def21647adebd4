"""A test that cannot apply to any value that the reviewed schema allows is found; open schemas allow any type."""

# ruff: noqa: E501 - a case is a line

from typing import Any

import pytest

from gateway.policy.rules.argument_paths import ArgumentPaths
from gateway.policy.rules.argument_tests import mistyped
from gateway.policy.rules.catalog_names import CatalogTarget

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "to": {"type": "array", "items": {"type": "string"}},
        "grid": {"type": "array", "items": {"$ref": "#/$defs/row"}},
        "some": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        "either": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "kind": {"enum": ["a", 1]},
        "fixed": {"const": True},
        "any": {},
        "odd": {"type": "text"},
        "open": {"type": "array"},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": False},
        "both": {"allOf": [{"type": ["string", "null"]}, {"minLength": 1}]},
        "old": {"type": "string", "nullable": True},
        "far": {"$ref": "https://elsewhere.example/schema"},
    },
    "$defs": {"row": {"type": "array", "items": {"type": "number"}}},
}


def wrong(path: str, test: dict[str, Any], *schemas: Any) -> tuple[str, str] | None:
    targets = [
        CatalogTarget("s", "tools", f"t{n}", {"reviewed": {"inputSchema": s}})
        for n, s in enumerate(schemas or [SCHEMA])
    ]
    found = mistyped(ArgumentPaths(), "/arguments/0", {"path": path, **test}, targets)
    return None if found is None else (found.pointer, found.what)


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("/text", {"prefix": "a"}),
        ("/text", {"length": {"at_most": 3}}),
        ("/text", {"none_of": [{"equals": "a"}, {"domain": ["b.example"]}]}),
        ("/text", {"absent": True}),
        ("/text", {"in": [1, "a"]}),
        ("/count", {"at_most": 3}),
        ("/count", {"equals": 1.5}),
        ("/to", {"any_element": {"domain": ["b.example"]}}),
        ("/to", {"every_element": {"not": {"prefix": "a"}}}),
        ("/to", {"length": {"at_most": 3}}),
        ("/to/0", {"prefix": "a"}),
        ("/grid", {"any_element": {"any_element": {"above": 3}}}),
        ("/some", {"any_element": {"prefix": "a"}}),
        ("/some", {"equals": None}),
        ("/either", {"prefix": "a"}),
        ("/either", {"any_element": {"prefix": "a"}}),
        ("/kind", {"at_most": 3}),
        ("/kind", {"prefix": "a"}),
        ("/any", {"at_most": 3}),
        ("/odd", {"at_most": 3}),
        ("/open", {"any_element": {"at_most": 3}}),
        ("/pair", {"any_element": {"at_most": 3}}),
        ("/both", {"equals": None}),
        ("/old", {"equals": None}),
        ("/old", {"within": ["/a"]}),
        ("/far", {"at_most": 3}),
    ],
)
def test_a_test_that_may_judge_something_is_accepted(path: str, test: dict[str, Any]) -> None:
    assert wrong(path, test) is None


@pytest.mark.parametrize(
    ("path", "test", "pointer", "said"),
    [
        ("/text", {"at_most": 3}, "at_most", "`/text` of `t0` is a string in the pinned schema, but `at_most` applies to a number"),
        ("/text", {"any_element": {"prefix": "a"}}, "any_element", "`any_element` applies to an array"),
        ("/text", {"not": {"above": 1}}, "not/above", "`above` applies to a number"),
        ("/text", {"none_of": [{"prefix": "a"}, {"below": 1}]}, "none_of/1/below", "`below` applies to a number"),
        ("/text", {"equals": 5}, "equals", "`equals` applies to a number"),
        ("/text", {"in": [1, None]}, "in", "applies to null or a number"),
        ("/count", {"prefix": "a"}, "prefix", "is a number in the pinned schema"),
        ("/count", {"equals": "1"}, "equals", "applies to a string"),
        ("/count", {"length": {"at_most": 3}}, "length", "applies to an array or a string"),
        ("/to", {"domain": ["b.example"]}, "domain", "`/to` of `t0` is an array"),
        ("/to", {"any_element": {"at_most": 3}}, "any_element/at_most", "an element of `/to` of `t0` is a string"),
        ("/grid", {"any_element": {"above": 3}}, "any_element/above", "is an array"),
        ("/some", {"any_element": {"at_least": 3}}, "any_element/at_least", "is a string"),
        ("/either", {"above": 3}, "above", "is an array or a string"),
        ("/fixed", {"equals": "true"}, "equals", "is a boolean"),
        ("/pair", {"any_element": {"equals": None}}, "any_element/equals", "is a number or a string"),
        ("/both", {"above": 3}, "above", "is null or a string"),
    ],
)  # fmt: skip
def test_a_test_that_cannot_apply_is_found(path: str, test: dict[str, Any], pointer: str, said: str) -> None:
    found = wrong(path, test)
    assert found is not None
    assert found[0] == f"/arguments/0/{pointer}"
    assert said in found[1]


def test_one_target_that_may_have_such_a_value_is_enough() -> None:
    assert wrong("/text", {"at_most": 3}, SCHEMA, {"properties": {"text": {"type": "number"}}}) is None
    assert wrong("/text", {"at_most": 3}, SCHEMA, {}) is None
    assert wrong("/text", {"at_most": 3}, SCHEMA, SCHEMA)
