"""The JSON Schema of the journal's records, generated from their types (`record.schema.json`).

Rule 1: it describes the records of this gateway. Later gateways may add fields and kinds, and readers must ignore those
that they do not know. Therefore the schema does not forbid any field.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from gateway.admission.record import SCHEMA
from gateway.journal.record_lines import (
    CompletedLine,
    CountedLine,
    DecidedLine,
    DescribedLine,
    PolicyLine,
    RefusedLine,
    VoidedLine,
)

PUBLISHED: Final = Path(__file__).with_name("record.schema.json")
_KINDS: Final = (DecidedLine, CompletedLine, DescribedLine, RefusedLine, CountedLine, PolicyLine, VoidedLine)
_PLACE: Final[dict[str, Any]] = {
    "schema": {"const": SCHEMA},
    "at": {
        "type": "integer",
        "description": "Time of writing in nanoseconds since 1970; never decreases within a writer.",
    },
    "writer": {"type": "string", "description": "Id of one start of one process of the gateway."},
    "sequence": {"type": "integer", "minimum": 1, "description": "Number of the record within its writer."},
}
_TIME: Final = {"format": "date-time"}


def record_schema() -> dict[str, Any]:
    """Return the schema of one record."""
    references, definitions = msgspec.json.schema_components(_KINDS, ref_template="#/$defs/{name}")
    for kind in _KINDS:
        placed: dict[str, Any] = definitions[kind.__name__]
        placed["properties"] = {**_PLACE, **placed["properties"]}
        placed["properties"]["time"] = {**placed["properties"]["time"], **_TIME}
        placed["required"] = [*_PLACE, *placed["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:mcp-admission:mcp.record/v2",
        "title": "A record of the journal: one line of JSON. Readers must ignore unknown fields and kinds.",
        "anyOf": list(references),
        "$defs": definitions,
    }


def record_schema_text() -> bytes:
    """Return the content of `record.schema.json`."""
    return orjson.dumps(record_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
