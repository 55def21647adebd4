"""Generate the JSON Schema of the policy input from its types (`rego/schemas/input.json`).

Rule 1: the schema has the form that OPA's type checker needs to find typos: references are inlined, null alternatives
are dropped, every `enum` has a `type`, unknown properties are excluded.
Rule 2: the schema is for checking policies, not inputs: a nullable value has the type that it has if it is not null.
"""

import msgspec
import orjson

from gateway.admission.policy_input import PolicyInput
from gateway.artifact.json_narrowing import Json, is_object


def input_schema() -> Json:
    """Return the schema of `input`."""
    (root,), definitions = msgspec.json.schema_components([PolicyInput], ref_template="{name}")
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_inlined(root, definitions)}


def input_schema_text() -> bytes:
    """Return the content of `rego/schemas/input.json`."""
    return orjson.dumps(input_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def _inlined(node: Json, definitions: dict[str, Json]) -> Json:
    if "$ref" in node:
        return _inlined(definitions[node["$ref"]], definitions)
    if "anyOf" in node:
        (kept,) = [arm for arm in node["anyOf"] if arm.get("type") != "null"]
        return _inlined(kept, definitions)
    made: Json = {key: node[key] for key in ("type", "enum") if key in node}
    if "enum" in node:
        made["enum"] = [value for value in node["enum"] if value is not None]
        made["type"] = "string"
    if "properties" in node:
        made["properties"] = {name: _inlined(each, definitions) for name, each in node["properties"].items()}
        made["additionalProperties"] = False
    elif "additionalProperties" in node:
        inner = node["additionalProperties"]
        made["additionalProperties"] = _inlined(inner, definitions) if is_object(inner) and inner else True
    if "items" in node:
        made["items"] = _inlined(node["items"], definitions)
    return made
