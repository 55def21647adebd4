"""Tool arguments that are repeated in `Mcp-Param-*` headers (specification 2026-07-28, Custom Headers).

Rule 1: an annotation counts only in a place that the specification allows; one elsewhere makes all of them invalid.
Rule 2: header and argument are both present and equal, or both absent; any other case refuses the call.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

from gateway.protocol.errors import HEADER_MISMATCH
from gateway.protocol.headers.lines import Headers, decode_value
from gateway.protocol.malformed import Malformed

_ANNOTATION: Final = "x-mcp-header"
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES: Final = frozenset({"string", "integer", "boolean"})
_DECIMAL: Final = re.compile(r"(-?[0-9]{1,16})(?:\.0+)?")
_NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
"""Keywords of JSON Schema 2020-12 whose value maps names to schemas."""
_NESTED: Final = frozenset(
    {
        *("allOf", "anyOf", "oneOf", "prefixItems", "items", "contains", "unevaluatedItems", "additionalProperties"),
        *("propertyNames", "unevaluatedProperties", "not", "if", "then", "else", "contentSchema"),
    }
)
"""Keywords whose value is a schema or a list of them; a value under any other keyword is data."""


class Parameter(NamedTuple):
    """One annotated argument: its header's lower-case name, its path in `arguments`, and its declared type."""

    header: str
    path: tuple[str, ...]
    type: str


def parameters_of(schema: Any) -> tuple[Parameter, ...] | None:
    """Return the annotated arguments of an input schema; None if an annotation is invalid.

    Clients must drop a tool with an invalid annotation, and so send no header for it.
    """
    found: list[Parameter] = []
    for path, node in _schemas(schema):
        if _ANNOTATION not in node:
            continue
        token, kind = node[_ANNOTATION], node.get("type")
        named = type(token) is str and _TOKEN.fullmatch(token) is not None
        if not path or not named or type(kind) is not str or kind not in _TYPES:
            return None
        found.append(Parameter(f"mcp-param-{token.lower()}", path, kind))
    return tuple(found) if len({parameter.header for parameter in found}) == len(found) else None


def _schemas(root: Any) -> Iterator[tuple[tuple[str, ...] | None, dict[str, Any]]]:
    """Yield every schema in a schema with its chain of `properties`, None off that chain; `$ref` is never followed."""
    pending: list[tuple[tuple[str, ...] | None, Any]] = [((), root)]
    while pending:
        path, node = pending.pop()
        if type(node) is not dict:
            continue
        schema = cast("dict[str, Any]", node)
        yield path, schema
        for keyword, value in schema.items():
            if keyword in _NAMED and type(value) is dict:
                chained = path is not None and keyword == "properties"
                for name, inner in cast("dict[str, Any]", value).items():
                    pending.append(((*path, name) if chained and path is not None else None, inner))
            elif keyword in _NESTED:
                inside = cast("list[Any]", value) if type(value) is list else [value]
                pending += [(None, inner) for inner in inside]


def agree_parameters(
    headers: Headers,
    arguments: dict[str, Any],
    parameters: tuple[tuple[str, tuple[str, ...], str], ...],
    id: str | int | None = None,  # noqa: A002 - JSON-RPC's word
) -> Malformed | None:
    """Return why the `Mcp-Param-*` headers of a modern call do not agree with its arguments; None if they do."""
    for header, path, kind in parameters:
        if not _agrees(headers.get(header), _value_at(arguments, path), kind):
            reason = f"{header} differs from the argument {'.'.join(path)[:64]!a}"
            return Malformed(fault="header_mismatch", code=HEADER_MISMATCH, reason=reason, id=id)
    return None


def _value_at(arguments: dict[str, Any], path: tuple[str, ...]) -> Any:
    node: Any = arguments
    for key in path:
        if type(node) is not dict:
            return None
        node = cast("dict[str, Any]", node).get(key)
    return node


def _agrees(header: str | None, value: Any, kind: str) -> bool:
    rendered = _rendered(value)
    if header is None or rendered is None:
        return header is None and rendered is None
    said = decode_value(header)
    if said is None:
        return False
    if kind == "integer" and type(value) is not bool and type(value) is not str:
        whole = _DECIMAL.fullmatch(said)
        return whole is not None and int(whole[1]) == value
    return said == rendered


def _rendered(value: Any) -> str | None:
    """Return the header text of a scalar; null and values that are not scalars have none."""
    if type(value) is bool:
        return "true" if value else "false"
    return str(value) if type(value) is str or type(value) is int or type(value) is float else None
