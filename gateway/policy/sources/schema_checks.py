"""Check documents against the data schemas in `schemas/`, and report the line of every violation.

Rule 1: patterns run on a linear-time engine and references are never fetched, so a document cannot block the check.
Rule 2: the texts come from the schema. `description` says what a value must be. `instead` maps keys that people often
try to what to write instead.
"""

import difflib
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, TypeGuard

import jsonschema_rs
import orjson

from gateway.artifact.json_narrowing import Json, is_object
from gateway.policy.sources.document import Document, step
from gateway.policy.sources.name_suggestions import nearest
from gateway.policy.sources.problem import Problem
from gateway.protocol.json_pointers import unescaped

_SHOWN: Final = 80
_BOOLEANS: Final = {
    **dict.fromkeys(("y", "yes", "on", "true"), "true"),
    **dict.fromkeys(("n", "no", "off", "false"), "false"),
}
"""Words that other YAML parsers read as true and false."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _refused(uri: str) -> Any:
    raise ValueError(f"{uri} is not fetched: a data schema may only refer to itself")


@lru_cache
def schema(kind: str) -> Json:
    """Return the data schema of a kind of document."""
    return orjson.loads(files("gateway.policy.sources").joinpath("schemas", f"{kind}.json").read_bytes())


@lru_cache
def _validator(kind: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema(kind), pattern_options=jsonschema_rs.RegexOptions(), validate_formats=True, retriever=_refused
    )


def violations(document: Document, kind: str) -> list[Problem]:
    """Return the problems of a document that does not match its schema; empty if it matches."""
    errors = list(_validator(kind).iter_errors(document.value))
    return [problem for error in errors for problem in _problems(error, document, kind)]


def _problems(error: jsonschema_rs.ValidationError, document: Document, kind: str) -> list[Problem]:
    pointer = ""
    for part in error.instance_path:
        pointer = step(pointer, part)
    meant = _described(error, kind)
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected):
            known, meant = _known(error, kind), _meant(error, kind)
            return [
                document.problem(step(pointer, key), f"`{key}` is not known here.", _instead(key, known, meant))
                for key in unexpected
            ]
        case jsonschema_rs.ValidationErrorKind.Required(name):
            return [document.problem(pointer, f"{_named(pointer)} lacks `{name}`.", f"Add `{name}`.")]
        case jsonschema_rs.ValidationErrorKind.Enum() if isinstance(error.instance, str):
            close = nearest(error.instance, filter(_is_text, _nodes(error, kind)[-1].get("enum", [])))
            return [document.problem(pointer, f"{_named(pointer)} {_said(error)}.", f"{close} {meant}".lstrip())]
        case jsonschema_rs.ValidationErrorKind.Type():
            hint = _retyped(error.instance, _nodes(error, kind)[-1].get("type"))
            return [document.problem(pointer, f"{_named(pointer)} {_said(error)}.", f"{hint} {meant}".lstrip())]
        case _:
            return [document.problem(pointer, f"{_named(pointer)} {_said(error)}.", meant)]


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


def _named(pointer: str) -> str:
    name = unescaped(pointer.rpartition("/")[2])
    if not name:
        return "the file"
    if name.isdecimal():
        return f"entry {int(name) + 1} of `{pointer.rpartition('/')[0].rpartition('/')[2]}`"
    return f"`{name}`"


def _said(error: jsonschema_rs.ValidationError) -> str:
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Type():
            return f"is {_shown(error.instance)}, which has the wrong type"
        case jsonschema_rs.ValidationErrorKind.AnyOf() if not isinstance(error.instance, dict | list):
            return f"is {_shown(error.instance)}, which is not accepted"
        case jsonschema_rs.ValidationErrorKind.OneOfNotValid() | jsonschema_rs.ValidationErrorKind.AnyOf():
            return "is incomplete or has an unknown form"
        case jsonschema_rs.ValidationErrorKind.MinProperties() | jsonschema_rs.ValidationErrorKind.MaxProperties():
            return f"has {len(error.instance)} keys" if isinstance(error.instance, dict) else "has too few or many keys"
        case jsonschema_rs.ValidationErrorKind.MinItems():
            return "is empty"
        case jsonschema_rs.ValidationErrorKind.UniqueItems():
            return "contains duplicates"
        case _:
            return f"is {_shown(error.instance)}, which is not accepted"


def _retyped(value: Any, wanted: object) -> str:
    """Return how to write a value of the wrong type; empty if that is not known."""
    if value is None:
        return "The value is missing: write one, or remove the key."
    if wanted == "string" and isinstance(value, bool | int | float):
        return "Put it in quotes."
    if wanted == "array" and isinstance(value, str | bool | int | float):
        return "Write a list: put the value in brackets."
    if wanted == "boolean" and isinstance(value, str):
        meant = _BOOLEANS.get(value.lower())
        return f"Write `{meant}`, without quotes." if meant else ""
    is_number = isinstance(value, str) and wanted in {"integer", "number"}
    return "Write a decimal number, without quotes, `_` or `:`." if is_number else ""


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return f"`{text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}`"


def _instead(key: str, known: list[str], meant: Mapping[str, str]) -> str:
    """Return what to write for an unknown key: the schema's advice, else the nearest key, else all known keys."""
    said = meant.get(_HUMP.sub("_", key).lower().replace("-", "_").replace(" ", "_"))
    if said:
        return said
    close = difflib.get_close_matches(key, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else f"Known keys: {', '.join(known)}." if known else "Remove it."


def _nodes(error: jsonschema_rs.ValidationError, kind: str) -> list[Json]:
    """Return the subschemas on the path to the violated keyword, the outermost first."""
    node: Any = schema(kind)
    nodes = [schema(kind)]
    for part in error.schema_path[:-1]:
        node = _inside(node, part, kind)
        nodes += [node] if is_object(node) else []
    return nodes


def _inside(node: Any, part: str | int, kind: str) -> Any:
    """Return the subschema one step further on an evaluation path, in which `$ref` is a separate step."""
    inner = node[part]
    if part != "$ref":
        return inner
    found: Any = schema(kind)
    for key in inner.split("/")[1:]:
        found = found[key]
    return found


def _described(error: jsonschema_rs.ValidationError, kind: str) -> str:
    """Return the innermost description on the path to the violated keyword."""
    texts = [node["description"] for node in _nodes(error, kind) if isinstance(node.get("description"), str)]
    return texts[-1] if texts else f"Compare it with another file of this kind ({schema(kind)['title']})."


def _meant(error: jsonschema_rs.ValidationError, kind: str) -> Json:
    """Return remedies for keys that people often try here: key -> remedy. `instead_of` names a definition with more."""
    node = _nodes(error, kind)[-1]
    more: Json = schema(kind)["$defs"][node["instead_of"]]["instead"] if "instead_of" in node else {}
    return more | node.get("instead", {})


def _known(error: jsonschema_rs.ValidationError, kind: str) -> list[str]:
    return sorted(_nodes(error, kind)[-1].get("properties", {}))
