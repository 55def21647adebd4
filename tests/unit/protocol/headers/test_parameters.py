"""`x-mcp-header` annotations, and the headers that repeat annotated arguments."""

from typing import Any

import pytest

from gateway.protocol.errors import HEADER_MISMATCH
from gateway.protocol.headers import Headers, Parameter, agree_parameters, parameters_of


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


REGION = {"type": "string", "x-mcp-header": "Region"}
COUNT = {"type": "integer", "x-mcp-header": "Count"}
DRY = {"type": "boolean", "x-mcp-header": "Dry"}
NESTED = schema(region=REGION, where={"type": "object", "properties": {"count": COUNT, "dry": DRY}})
PARAMETERS = parameters_of(NESTED) or ()


def test_annotations_are_found_on_chains_of_properties() -> None:
    assert set(PARAMETERS) == {
        Parameter("mcp-param-region", ("region",), "string"),
        Parameter("mcp-param-count", ("where", "count"), "integer"),
        Parameter("mcp-param-dry", ("where", "dry"), "boolean"),
    }


def test_a_schema_without_annotations_has_none() -> None:
    plain: list[Any] = [schema(a={"type": "string"}), {}, None, True, {"properties": []}]
    assert [parameters_of(one) for one in plain] == [()] * len(plain)


def test_data_that_looks_like_an_annotation_is_data() -> None:
    sample = {"x-mcp-header": "X", "type": "string"}
    assert parameters_of(schema(a={"default": sample, "examples": [sample], "const": sample, "x-other": sample})) == ()


@pytest.mark.parametrize(
    "invalid",
    [
        schema(a={"type": "string", "x-mcp-header": ""}),
        schema(a={"type": "string", "x-mcp-header": "a b"}),
        schema(a={"type": "string", "x-mcp-header": "a\n"}),
        schema(a={"type": "string", "x-mcp-header": 5}),
        schema(a={"type": "number", "x-mcp-header": "A"}),
        schema(a={"type": ["string", "null"], "x-mcp-header": "A"}),
        schema(a={"x-mcp-header": "A"}),
        schema(a=REGION, b={"type": "string", "x-mcp-header": "REGION"}),
        {"type": "string", "x-mcp-header": "Root"},
        schema(a={"type": "array", "items": REGION}),
        schema(a={"anyOf": [REGION]}),
        {"$defs": {"a": REGION}},
        {"if": schema(a=REGION)},
    ],
)
def test_an_annotation_that_clients_must_refuse_makes_all_invalid(invalid: dict[str, Any]) -> None:
    assert parameters_of(invalid) is None


ARGUMENTS = {"region": "eu", "where": {"count": 42, "dry": False}}
LINES = {"mcp-param-region": "eu", "mcp-param-count": "42", "mcp-param-dry": "false"}


def test_headers_that_repeat_the_arguments_agree() -> None:
    assert agree_parameters(Headers(LINES), ARGUMENTS, PARAMETERS) is None


def test_headers_and_arguments_may_both_be_absent() -> None:
    assert agree_parameters(Headers({}), {"region": None, "where": 5}, PARAMETERS) is None


def test_a_header_that_the_schema_does_not_know_is_ignored() -> None:
    assert agree_parameters(Headers({**LINES, "mcp-param-other": "x"}), ARGUMENTS, PARAMETERS) is None


@pytest.mark.parametrize("missing", LINES)
def test_a_missing_header_is_refused(missing: str) -> None:
    given = {name: value for name, value in LINES.items() if name != missing}
    problem = agree_parameters(Headers(given), ARGUMENTS, PARAMETERS, 5)
    assert problem is not None
    assert (problem.status, problem.code, problem.id) == (400, HEADER_MISMATCH, 5)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("mcp-param-region", "us"),
        ("mcp-param-region", "EU"),
        ("mcp-param-region", "=?base64?ZXV=?="),
        ("mcp-param-count", "43"),
        ("mcp-param-count", "42.5"),
        ("mcp-param-count", "4.2e1"),
        ("mcp-param-count", ""),
        ("mcp-param-dry", "False"),
        ("mcp-param-dry", "true"),
    ],
)
def test_a_header_that_says_something_else_is_refused(header: str, value: str) -> None:
    assert agree_parameters(Headers({**LINES, header: value}), ARGUMENTS, PARAMETERS) is not None


def test_a_header_without_its_argument_is_refused() -> None:
    assert agree_parameters(Headers({"mcp-param-region": "eu"}), {}, PARAMETERS) is not None
    assert agree_parameters(Headers({"mcp-param-region": "[]"}), {"region": []}, PARAMETERS) is not None


@pytest.mark.parametrize("written", ["42", "42.0", "042"])
def test_integers_are_compared_as_numbers(written: str) -> None:
    assert agree_parameters(Headers({**LINES, "mcp-param-count": written}), ARGUMENTS, PARAMETERS) is None
    whole = {**ARGUMENTS, "where": {"count": 42.0, "dry": False}}
    assert agree_parameters(Headers({**LINES, "mcp-param-count": written}), whole, PARAMETERS) is None
