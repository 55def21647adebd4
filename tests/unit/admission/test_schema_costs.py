"""Costly schemas are refused before they run, and ordinary ones are checked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.argument_schema_check import check, compiled, folded_key
from gateway.admission.schema_costs import Extent, cost_by_value, extent, steps_of

STRINGS = {f"p{number}": {"type": "string", "description": "x", "maxLength": 50} for number in range(1_000)}
CONTAINER: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{f"field{number}": {"type": "string"} for number in range(30)},
        "image": {"type": "string", "pattern": "^[a-z0-9./:@_-]{1,255}$"},
        "pull": {"enum": ["Always", "Never", "IfNotPresent"]},
        "ports": {"type": "array", "items": {"$ref": "#/$defs/port"}},
        "env": {"type": "array", "items": {"$ref": "#/$defs/env"}, "uniqueItems": True},
    },
    "required": ["field0", "image"],
}
POD: dict[str, Any] = {
    "type": "object",
    "properties": {
        **STRINGS,
        "containers": {"type": "array", "items": {"$ref": "#/$defs/container"}},
        "initContainers": {"type": "array", "items": {"$ref": "#/$defs/container"}},
        "next": {"$ref": "#"},
    },
    "$defs": {
        "container": CONTAINER,
        "port": {"properties": {"port": {"type": "integer", "minimum": 1, "maximum": 65535}}},
        "env": {"properties": {"name": {"type": "string"}}, "oneOf": [{"required": ["name"]}, {"required": ["from"]}]},
    },
}
KINDS = [f"kind{number}" for number in range(30)]
BLOCKS: dict[str, Any] = {
    "properties": {"blocks": {"type": "array", "items": {"$ref": "#/$defs/block"}}},
    "$defs": {
        "block": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": kind},
                        "text": {"type": "string", "maxLength": 3000},
                        "children": {"type": "array", "items": {"$ref": "#/$defs/block"}},
                    },
                    "required": ["type"],
                }
                for kind in KINDS
            ]
        }
    },
}


def container(number: int) -> dict[str, Any]:
    more = {"ports": [{"port": 80 + port} for port in range(3)], "env": [{"name": f"v{name}"} for name in range(5)]}
    return {"field0": f"c{number}", "image": "registry/a:1", "pull": "Always", **more}


def block(number: int) -> dict[str, Any]:
    return {"type": KINDS[number % 30], "text": "word " * 20, "children": [{"type": "kind1"}]}


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"properties": STRINGS}, dict.fromkeys(STRINGS, "value")),
        ({"properties": {"rows": {"items": {"properties": STRINGS}}}}, {"rows": [{"p1": "x"}] * 1_000}),
        (POD, {**dict.fromkeys(STRINGS, "v"), "containers": [container(number) for number in range(80)]}),
        (BLOCKS, {"blocks": [block(number) for number in range(300)]}),
        ({"properties": {"n": {"items": {"minimum": -90.5, "maximum": 90.5}}}}, {"n": [1.5] * 1_000}),
        ({"properties": {"n": {"items": {"enum": list(range(50))}}}}, {"n": [49] * 1_000}),
        ({"properties": {"zone": {"enum": [f"zone{n}" for n in range(600)]}}}, {"zone": "zone1", "n": ["x"] * 10_000}),
        ({"properties": {"path": {"pattern": "^[a-z]{1,255}$"}}}, {"path": "a", "content": "x" * 1_000_000}),
    ],
    ids=["flat", "rows", "pod", "blocks", "floats", "integers", "zones", "file"],
)
def test_ordinary_schemas_are_checked(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    assert check(compiled(schema), arguments) == "match"


@pytest.mark.parametrize(
    ("items", "value"),
    [
        ({"oneOf": [{"const": number} for number in range(1_000)]}, 999),
        ({"anyOf": [{"enum": [number + 0.5 for number in range(200)]}]}, 199.5),
        ({"enum": [{"a": number} for number in range(1_000)]}, {"a": 999}),
        ({"allOf": [{"multipleOf": 0.01}] * 20}, 0.5),
        ({"anyOf": [{"pattern": f"^(a|b)*{number}"} for number in range(50)]}, "ab" * 80),
        ({"allOf": [{"uniqueItems": True}] * 100}, [1, 2, 3]),
        ({"allOf": [{"$ref": "#/$defs/most"}] * 500, "$defs": {"most": {}}}, "x"),
        ({"allOf": [{"propertyNames": {"pattern": "^a"}}] * 100}, {"abcdefghij": 1}),
        ({"patternProperties": {f"^x{number}": {"type": "string"} for number in range(50)}}, {"abcdefgh" * 20: "x"}),
    ],
)
def test_a_check_that_takes_long_is_refused_before_it_runs(items: dict[str, Any], value: object) -> None:
    schema = {"properties": {"list": {"items": items}}, "$defs": {"most": {"allOf": [{"type": "string"}] * 10}}}
    checker = compiled(schema)
    assert check(checker, {"list": [value]}) != "uncheckable"
    assert check(checker, {"list": [value] * 1_000}) == "uncheckable"


def test_a_long_text_counts_by_its_characters_if_patterns_judge_texts() -> None:
    checker = compiled({"properties": {"a": {"allOf": [{"pattern": f"^x{number}"} for number in range(20)]}}})
    assert check(checker, {"b": "y" * 1_000}) == "match"
    assert check(checker, {"b": "y" * 1_000_000}) == "uncheckable"
    assert check(compiled({"properties": {"a": {"minLength": 1}}}), {"a": "y" * 1_000_000}) == "match"


def test_a_value_is_charged_with_its_dearest_member_and_all_that_judges_it_together() -> None:
    one, two = {"type": "string"}, {"type": "string", "maxLength": 5}
    assert cost_by_value({"properties": {"a": one, "b": two}}).values == cost_by_value(two).values
    both = cost_by_value({"allOf": [one, two]}).values
    assert both > cost_by_value(one).values + cost_by_value(two).values
    assert cost_by_value({"properties": {"a": {"allOf": [one, two]}}}).values == both
    assert cost_by_value({"items": {"oneOf": [two] * 9}}).values > cost_by_value({"items": {"oneOf": [two] * 3}}).values


def test_references_count_as_often_as_they_are_used_and_recursion_once() -> None:
    defs = {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}] * 2}, "b": {"type": "string"}}}
    twice = cost_by_value({"allOf": [{"$ref": "#/$defs/a"}] * 2, **defs}).values
    assert twice > 4 * cost_by_value({"type": "string"}).values
    assert cost_by_value({"properties": {"next": {"$ref": "#"}}}).values < 20


def test_schemas_that_are_no_objects_cost_nothing() -> None:
    for schema in (True, False, {}, {"items": True, "allOf": [True], "properties": {"a": False}}):
        assert cost_by_value(schema).values < 20


def test_the_extent_of_arguments_is_counted() -> None:
    found = extent({"a": [1, 2.5, "xyz", None, True], "bc": {"d": "é"}})
    assert (found.integers, found.floats, found.chars) == (1, 1, 8)
    assert found.values == 9


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=5),
)
COSTS = st.builds(Extent, **dict.fromkeys(("values", "nodes", "integers", "floats", "chars"), st.integers(0, 500)))


@given(COSTS, VALUES, st.integers(0, 20_000))
def test_a_rough_bound_decides_as_the_exact_one_or_is_stricter(cost: Extent, value: Any, enough: int) -> None:
    found = extent(value)
    exact = sum(
        getattr(cost, part) * getattr(found, part) for part in ("values", "nodes", "integers", "floats", "chars")
    )
    assert (steps_of(cost, value, enough) > enough) == (exact > enough)


def test_a_search_for_folded_keys_that_takes_long_names_the_suspect() -> None:
    wide: dict[str, Any] = {
        "allOf": [{"properties": {"id": {}}, "additionalProperties": {"minProperties": n}} for n in range(300)]
    }
    assert folded_key(compiled(wide), {"x": {"ID": 1}}) is None
    assert folded_key(compiled(wide), {f"x{number}": {"ID": {}} for number in range(1_000)}) == "ID"
