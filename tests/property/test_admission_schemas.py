"""What is left of a schema with unusable keywords accepts all that the whole schema accepts, and checks the rest."""

import copy
from typing import Any, Final

import jsonschema_rs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.admission.checkable_schema_part import usable
from gateway.admission.json_schema_validator import compiled_schema, is_pattern
from gateway.admission.schema_properties import is_array, is_object

NAMES: Final = st.sampled_from(["a", "b", "ab", "c"])
PATTERNS: Final = st.sampled_from(["^a", "b$", "^.$", "c"])
SCALARS: Final = st.sampled_from([None, True, False, 0, 1, 2, 1.5, "", "a", "b", "ab"])
INSTANCES: Final = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
TYPES: Final = st.sampled_from(["null", "boolean", "object", "array", "number", "string", "integer"])
LIMIT: Final = st.integers(0, 3)
REFERENCES: Final = st.sampled_from(["#", "#/$defs/x", "#/$defs/y", "#y"])
PLAIN: Final[dict[str, st.SearchStrategy[Any]]] = {
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
    "enum": st.lists(SCALARS, min_size=1, max_size=3),
    "const": SCALARS,
    "minimum": LIMIT,
    "maximum": LIMIT,
    "minLength": LIMIT,
    "maxLength": LIMIT,
    "minItems": LIMIT,
    "maxItems": LIMIT,
    "minProperties": LIMIT,
    "maxProperties": LIMIT,
    "uniqueItems": st.booleans(),
    "required": st.lists(NAMES, max_size=2, unique=True),
    "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
    "pattern": PATTERNS,
    "$ref": REFERENCES,
}
ONE: Final = (
    *("not", "if", "then", "else", "items", "contains", "additionalProperties", "propertyNames"),
    *("unevaluatedProperties", "unevaluatedItems"),
)
BROKEN: Final[dict[str, Any]] = {
    "type": ["any", "int", None, [], ["string", "string"], ["string", "file"], {}],
    "enum": ["a", [], None],
    "minimum": ["1", None, True],
    "maximum": ["1", float("inf")],
    "minLength": [-1, 1.5, "1"],
    "maxLength": [-1, None],
    "minItems": [True],
    "maxItems": [[]],
    "minContains": ["0", -1],
    "maxContains": [None],
    "uniqueItems": ["true", 1],
    "required": [True, False, ["a", "a"], "a", [1]],
    "dependentRequired": [[], {"a": "b"}],
    "pattern": ["(?=a)", r"(a)\1", "a++", "[", "^.{1,100000}$", 3],
    "$ref": ["#/$defs/none", "https://example.com/a.json", "a.json", "#none", 3, "#/$defs/x/type"],
    "properties": [[], None, "a"],
    "patternProperties": [[], {"(?!a)b": False}, {"(a)\\1": {}}],
    "allOf": [[], {}, "a"],
    "anyOf": [[], None],
    "oneOf": [[], {}],
    "prefixItems": [[], {}],
    "dependentSchemas": [[], "a"],
    **{keyword: ["no", None, [], 3] for keyword in ONE},
}


LEAVES: Final = st.booleans() | st.one_of(
    [values.map(lambda value, keyword=keyword: {keyword: value}) for keyword, values in PLAIN.items()]
)


def applied(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One to three keywords with subschemas."""
    named = st.dictionaries(NAMES, inner, min_size=1, max_size=2)
    entries = st.one_of(
        *(inner.map(lambda value, keyword=keyword: (keyword, value)) for keyword in ONE),
        *(
            st.lists(inner, min_size=1, max_size=2).map(lambda value, keyword=keyword: (keyword, value))
            for keyword in ("allOf", "anyOf", "oneOf", "prefixItems")
        ),
        *(named.map(lambda value, keyword=keyword: (keyword, value)) for keyword in ("properties", "dependentSchemas")),
        st.dictionaries(PATTERNS, inner, min_size=1, max_size=2).map(lambda value: ("patternProperties", value)),
        *(
            values.map(lambda value, keyword=keyword: (keyword, value))
            for keyword, values in (PLAIN | {"minContains": LIMIT, "maxContains": LIMIT}).items()
        ),
    )
    return st.lists(entries, min_size=1, max_size=4).map(dict)


def document(root: dict[str, Any], x: Any, y: dict[str, Any]) -> dict[str, Any]:
    """A document whose references end: one that excludes what it refers to itself means nothing."""
    x, y = redirected(x, {}), redirected(y, dict.fromkeys(("#", "#/$defs/x", "#/$defs/y", "#y"), "#/$defs/x"))
    return {**redirected(root, {"#/$defs/x": "#/$defs/x"}, "#y"), "$defs": {"x": x, "y": {**y, "$anchor": "y"}}}


def redirected(schema: Any, references: dict[str, str], otherwise: str = "") -> Any:
    """The schema with other references, or without them."""
    if is_array(schema):
        return [redirected(inner, references, otherwise) for inner in schema]
    if not is_object(schema):
        return schema
    made = {key: redirected(value, references, otherwise) for key, value in schema.items() if key != "$ref"}
    named = schema.get("$ref")
    target = references.get(named, otherwise) if isinstance(named, str) else ""
    return {**made, "$ref": target} if target else made


SCHEMAS: Final = st.builds(
    document,
    st.recursive(LEAVES, applied, max_leaves=8).filter(is_object),
    st.recursive(LEAVES, applied, max_leaves=3),
    st.recursive(LEAVES, applied, max_leaves=3).filter(is_object),
)


def places(schema: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keywords of a schema that can be broken."""
    found: list[tuple[Any, ...]] = []
    if is_object(schema):
        found += [(*at, keyword) for keyword in schema if keyword in BROKEN]
        for key, value in schema.items():
            found += places(value, (*at, key))
    elif is_array(schema):
        for number, value in enumerate(schema):
            found += places(value, (*at, number))
    return found


def broken(schema: Any, place: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(schema)
    node = made
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    return made


@st.composite
def broken_schemas(draw: st.DrawFn) -> tuple[Any, Any]:
    """A schema, and the same one with some keywords that cannot be used."""
    whole = draw(SCHEMAS)
    made = whole
    for _ in range(draw(st.integers(1, 2))):
        candidates = places(made)
        if candidates:
            place = draw(st.sampled_from(candidates))
            made = broken(made, place, draw(st.sampled_from(BROKEN[place[-1]])))
    return whole, made


def accepts(schema: Any, instance: Any) -> bool:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=False).is_valid(instance)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(broken_schemas(), st.lists(INSTANCES, min_size=1, max_size=6))
def test_what_is_left_accepts_all_that_the_whole_schema_accepts(schemas: tuple[Any, Any], instances: list[Any]) -> None:
    whole, made = schemas
    left = usable(made, is_pattern)
    validator = compiled_schema(left.schema, formats=False)
    assert validator is not None, left.schema
    for instance in instances:
        assert validator.is_valid(instance) or not accepts(whole, instance), (made, left, instance)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(SCHEMAS, st.lists(INSTANCES, min_size=1, max_size=6))
def test_a_schema_that_can_be_used_is_checked_whole(schema: Any, instances: list[Any]) -> None:
    left = usable(schema, is_pattern)
    validator = compiled_schema(left.schema, formats=False)
    assert validator is not None, left.schema
    assert left.unchecked == ()
    for instance in instances:
        assert validator.is_valid(instance) == accepts(schema, instance), (left.schema, instance)
